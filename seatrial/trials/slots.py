"""The concurrency limit that a trial's own requests may meet: how large it is, and which refusals it explains.

Requests at random meet in numbers now and then, however light the load (Erlang 1917): a declared refusal by a replica
that had as much to do as it takes at once is the limit at work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from seatrial.chart_values import in_force
from seatrial.contract import Governed, Limits, Reject
from seatrial.ledger import Ledger, Mask
from seatrial.trials.context import TrialContext
from seatrial.trials.workload import is_declared_refusal


def slots_of(context: TrialContext, values: Mapping[str, Any]) -> int | None:
    """How many requests a replica of a release with these Helm values takes at once; None where nothing limits it.

    A limit that a value governs is as large as that value is in this release: a promise that is not on trial has the
    chart's own, and 0 is none.
    """
    limit = context.contract.limits.concurrency
    if limit is None:
        return None
    if not isinstance(limit.limit, Governed):
        return int(float(limit.limit))
    given = in_force(context.chart, values, limit.limit.value)
    try:
        slots = int(float(given or 0))
    except (TypeError, ValueError):
        return None
    return slots or None


def refused_as(rows: Ledger, rejects: Iterable[Reject]) -> Mask:
    """Which rows are whole refusals in one of the declared ways, shape (n,)."""
    declared = tuple(rejects)
    refused = [row.row for row in rows if not row.right and any(is_declared_refusal(row, each) for each in declared)]
    found: Mask = np.isin(rows.row, refused)
    return found


def surely_refused(rows: Ledger, limits: Limits | None) -> Mask:
    """Which rows a declared limit refused for certain, shape (n,): without a declared body anything might have."""
    return refused_as(rows, [reject for reject in limits.rejects if reject.body] if limits else ())


def met_full(rows: Ledger, held: Ledger, slots: float) -> Mask:
    """Beside which of these rows one replica may have held as many of the others as it takes at once, shape (n,).

    Counted are all of `held` that may have been there between the row's sending and its answer.
    """
    full = []
    for row in rows:
        here = (held.sent_s <= row.first_byte_s) & (held.ended_s >= row.sent_s)
        if row.pod:
            here &= np.isin(held.pod, [held.code(row.pod), held.code("")])
        full.append(int(here.sum()) >= slots)
    return np.asarray(full, dtype=np.bool_)


def for_being_full(rows: Ledger, limits: Limits | None, slots: int | None) -> Mask:
    """Which rows the concurrency limit refused, or may have, where one is in force, shape (n,).

    Where refusals of the rate look the same, only those count that met a full replica.
    """
    none: Mask = np.zeros(len(rows), dtype=np.bool_)
    if limits is None or limits.concurrency is None or slots is None:
        return none
    full = refused_as(rows, [limits.concurrency.reject])
    if limits.rate is None:
        return full
    alike = full & refused_as(rows, [limits.rate.reject])
    if alike.any():
        alike[alike] = ~met_full(rows.select(alike), rows.select(rows.right), slots)
    return full & ~alike
