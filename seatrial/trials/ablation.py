"""What can be taken away from a trial, so that a check has nothing to judge: no check may pass or fail then.

A trial declares its ablations beside the constants of its loads, and a check names the one that takes its own
stimulus away. An ablation changes the stimulus only: loads that are left out or thinned, or a step not taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from seatrial.traffic.plan import ClosedLoop, Load, Lone, OpenLoop

Loads = Callable[[list[Load]], list[Load]]


@dataclass(frozen=True, eq=False)
class Ablation:
    """`missing` says for a person what is taken away; two ablations are the same only where they are one object.

    `loads` makes the loads that are sent instead. Without it the ablation is a step that the trial itself withholds:
    it asks `context.withholds(ABLATION)`.
    """

    missing: str
    loads: Loads | None = None


def without(*names: str) -> Loads:
    """Leave out the loads of these names, and those that are called `NAME-…`."""
    return lambda loads: [load for load in loads if not _is_called(load, names)]


def thinned(share: float, *names: str) -> Loads:
    """Send only a share (0-1) of what the loads of these names, and those called `NAME-…`, would."""
    return lambda loads: [_thin(load, share) if _is_called(load, names) else load for load in loads]


def nothing(loads: list[Load]) -> list[Load]:
    """Send no load at all."""
    return []


def _is_called(load: Load, names: tuple[str, ...]) -> bool:
    return any(load.name == name or load.name.startswith(f"{name}-") for name in names)


def _thin(load: Load, share: float) -> Load:
    if isinstance(load, OpenLoop):
        kept = slice(None, None, max(1, round(1 / share)))
        return replace(load, arrivals_s=load.arrivals_s[kept], picks=load.picks[kept], groups=load.groups[kept])
    if isinstance(load, ClosedLoop):
        return replace(load, concurrency=1)
    if isinstance(load, Lone):
        return replace(load, count=max(1, int(load.count * share)))
    return load
