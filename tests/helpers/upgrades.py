"""Made-up upgrades: three of them under load, each replacing two pods, none losing a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from seatrial.observation import Change
from seatrial.trials.upgrade import SERVICE, Round, Upgrade
from tests.helpers.observations import common, pod_change, row

Row = dict[str, Any]
ROUNDS, RPS = 3, 40.0
LEAD_S, FIRST_S, SECOND_S, LASTS_S = 5.0, 3.0, 9.0, 14.0  # from the change on: when the old pods go, when all is done
LINGERS_S = 0.1  # for which new connections still reach a pod that is being deleted
EVERY_S = 40.0


def changed_s(index: int) -> float:
    """When an upgrade begins."""
    return 20.0 + EVERY_S * index


def deleted_s(index: int, which: int) -> float:
    """When one of its two old pods is deleted."""
    return changed_s(index) + (FIRST_S, SECOND_S)[which]


def upgraded(
    *,
    change: Callable[[Row], Row | None] = lambda made: made,
    rounds: int = ROUNDS,
    rps: float = RPS,
    finished: bool = True,
    lead_s: float = LEAD_S,
    lingers_s: float = LINGERS_S,
    beacon: tuple[Row, ...] = (),
) -> Upgrade:
    """Upgrades as told; `change` replaces or drops requests."""
    sent = (made for index in range(rounds) for made in _requests(index, rps, lead_s, lingers_s))
    rows = [kept for made in sent if (kept := change(made))]
    changes = [each for index in range(rounds) for each in _changes(index, finished)]
    return Upgrade(
        **common([*rows, *beacon], sorted(changes, key=lambda each: each.at_s)),
        rounds=tuple(_round(index, finished) for index in range(rounds)),
        capacity_rps=rps / 0.3,
        offered_rps=rps,
        propagation_s=3.0,
    )


def _round(index: int, finished: bool) -> Round:
    start_s = changed_s(index)
    return Round(
        index,
        (f"old-{index}-0", f"old-{index}-1"),
        (start_s - LEAD_S, start_s + LASTS_S + LEAD_S),
        start_s,
        start_s + LASTS_S if finished else None,
    )


def _requests(index: int, rps: float, lead_s: float, lingers_s: float) -> Iterator[Row]:
    """Half to each of two pods: an old one until it is deleted and a moment longer, then a new one."""
    start_s = changed_s(index)
    for n, at_s in enumerate(np.arange(start_s - lead_s, start_s + LASTS_S + lead_s, 1 / rps)):
        which = n % 2
        old = at_s < deleted_s(index, which) + lingers_s
        yield row(
            SERVICE,
            float(at_s),
            target="",
            pod=f"{'old' if old else 'new'}-{index}-{which}",
            group=index,
            connected_s=float(at_s) + 0.001,
        )


def _changes(index: int, finished: bool) -> Iterator[Change]:
    for which in range(2):
        name = f"old-{index}-{which}"
        yield pod_change(changed_s(index) - 10, name)
        alive = pod_change(deleted_s(index, which), name)
        metadata = {**alive.object["metadata"], "deletionTimestamp": "2026-01-01T00:00:10Z"}
        leaving = {**alive.object, "metadata": metadata}
        yield Change(deleted_s(index, which), "Pod", "MODIFIED", name, leaving)
        if finished or which == 0:
            yield Change(deleted_s(index, which) + 4.5, "Pod", "DELETED", name, leaving)
