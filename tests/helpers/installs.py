"""A made-up install: three pods become ready and answer, and the container of one is restarted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seatrial.observation import Change, Pod
from seatrial.trials.install import Install
from seatrial.trials.starts import AT_FIRST_2XX, AT_READY, LATER, LATER_PERIOD_S, POLLED, Start
from tests.helpers.drains import pod, refused, request
from tests.helpers.observations import common

Row = dict[str, Any]
PROBES = {"readiness": "probes.readiness"}


def install(
    *,
    change: Callable[[Row], Row | None] | None = None,
    changes: tuple[Change, ...] = (),
    starts: int = 4,
    not_ready: int = 20,
    ready: bool = True,
    later: int = 0,
    polls: int = 40,
) -> Install:
    """Starts 0 to 2 are the pods' own, start 3 the restart of pod 0; `not_ready` polls come before the first 2xx.

    So many `polls` come after it, and `later` cases after the first 40, which records of before do not have.
    """
    rows: list[Row] = []
    told = []
    for index in range(starts):
        name, seen_s = f"pod-{index % 3}", 10.0 + 20 * (index // 3) + index
        ready_s = seen_s + 0.05 * not_ready
        told.append(Start(index, name, index // 3, seen_s, ready_s + 0.5))
        rows += _polls(name, index, seen_s, not_ready, polls)
        for load, start_s in ((AT_FIRST_2XX, ready_s + 0.002), (AT_READY, ready_s + 0.5)):
            for n in range(20):
                rows.append(request(load, start_s + 0.1 * n, case=f"c{n}", target=name, pod=name, group=index))
        for n in range(later):
            due_s = ready_s + 3.2 + LATER_PERIOD_S * n
            rows.append(request(LATER, due_s, case=f"c{n}", target=name, pod=name, group=index))
    for name in ("pod-0", "pod-1", "pod-2"):
        for n in range(5):
            asked = request("readiness-path", 20.0 + 0.05 * n, 0.002, target=name, pod=name, body='{"ready": true}')
            rows += [asked, {**asked, "load": "random-path", "status": 404, "body": "not found"}]
    kept = [new for row in rows if (new := change(row) if change else row) is not None]
    watched = [Change(12.0, "Pod", "MODIFIED", f"pod-{n}", pod(f"pod-{n}")) for n in range(3)] if ready else []
    given = common(kept, [*watched, *changes])
    given["pods"] = tuple(Pod(f"pod-{n}", "10.0.0.1", "node", f"pod-{n}", {}) for n in range(3))
    return Install(**given, starts=tuple(told), took_s=5.0, restarted="pod-0")


def _polls(name: str, index: int, seen_s: float, not_ready: int, ready: int) -> list[Row]:
    polls = [
        request(POLLED, float(at_s), 0.002, target=name, pod=name, group=index, correct=-1)
        for at_s in seen_s + 0.05 * np.arange(not_ready + ready)
    ]
    loading = [{**row, "status": 503} for row in polls[:not_ready]]
    return [*(refused(row) for row in loading[: not_ready // 2]), *loading[not_ready // 2 :], *polls[not_ready:]]
