"""Made-up outages: a library stalls, refuses and comes back, and two pods bear it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from seatrial.observation import Change, Pod
from seatrial.trials.dependency_outage import LIVENESS, SERVICE, DependencyOutage, Outage, Restoration
from tests.helpers.observations import common, lost, pod_change, row

Row = dict[str, Any]
PODS = ("a", "b")
WINDOW_S = 20.0
STALL_S, REFUSE_S, BACK_S, END_S = 20.0, 40.0, 60.0, 75.0
RECOVERY_S = 1.0
LIVE = {"httpGet": {"path": "/live", "port": 8080}, "periodSeconds": 2, "timeoutSeconds": 1, "failureThreshold": 3}
READY = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}


def outage(
    *,
    change: Callable[[Row], Row | None] = lambda made: made,
    changes: tuple[Change, ...] = (),
    ends_s: float = END_S,
    liveness: bool = True,
    recovery_s: float = RECOVERY_S,
    probe: Mapping[str, Any] = MappingProxyType({}),
    kinds: tuple[str, ...] = ("stall", "refuse"),
    more: tuple[Row, ...] = (),
    **otherwise: Any,
) -> DependencyOutage:
    """Outages as told.

    `change` replaces or drops rows, `more` are others; `changes` join the watch; `probe` is part of the pods' liveness
    probe; `otherwise` is true of each outage.
    """
    given = [*_cases(ends_s, recovery_s), *(_probes(ends_s) if liveness else ())]
    rows = [*(kept for made in given if (kept := change(made))), *more]
    watched = [*(pod_change(1.0, name) for name in PODS), *changes]
    each = {"stall": (STALL_S, REFUSE_S), "refuse": (REFUSE_S, BACK_S)}
    outages = [Outage("library", kind, *each[kind], served_before=30, denied=25) for kind in kinds]  # type: ignore[arg-type]
    seen = common(rows, sorted(watched, key=lambda change: change.at_s))
    spec = {
        "containers": [
            {"name": "server", "readinessProbe": READY, **({"livenessProbe": {**LIVE, **probe}} if liveness else {})}
        ]
    }
    return DependencyOutage(
        **{**seen, "pods": tuple(Pod(name, "10.0.0.1", "node", name, spec) for name in PODS)},
        outages=tuple(replace(made, **otherwise) for made in outages),
        restorations=(Restoration("library", BACK_S, ends_s),),
        wanted_s=WINDOW_S,
    )


def _cases(ends_s: float, recovery_s: float) -> Iterator[Row]:
    """Right but for the outages: nothing comes then but refusals after a second."""
    for at_s in np.arange(10.0, ends_s, 0.1).round(1).tolist():
        made = row(SERVICE, at_s, target="", connected_s=at_s + 0.001)
        out = STALL_S <= at_s < BACK_S + recovery_s - 0.95  # each takes a second to fail
        yield {**made, "status": 503, "correct": 0, "ended_s": at_s + 1.0} if out else made


def _probes(ends_s: float) -> Iterator[Row]:
    for index, name in enumerate(PODS):
        for at_s in np.arange(10.0 + 0.1 * index, ends_s, 1.0).tolist():
            yield row(LIVENESS, at_s, 0.002, target=name, pod=name, correct=-1)


def dead(made: Row, error: str = "timeout") -> Row:
    """A liveness probe without an answer: its timeout of 1 s is over."""
    return {**lost(made, error), "ended_s": made["sent_s"] + 1.001}


def beacon(at_s: float, took_s: float = 0.05) -> Row:
    """The beacon, answered after so long."""
    return row("beacon", at_s, took_s, target="")
