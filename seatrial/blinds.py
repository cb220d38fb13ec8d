"""What is taken away from a trial so that a check's precondition does not hold: no check may pass then.

A blinding changes the stimulus only: loads that are left out or thinned, a step that is not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from seatrial.traffic.plan import ClosedLoop, Load, Lone, OpenLoop, Poll

Loads = Callable[[list[Load]], list[Load]]


@dataclass(frozen=True)
class Blind:
    """`what` is missing, for a person."""

    what: str
    loads: Loads | None = None
    disarmed: frozenset[str] = frozenset()


def without(*loads_named: str) -> Loads:
    """Leave out the loads whose names begin so."""
    return lambda loads: [load for load in loads if not load.name.startswith(loads_named)]


def thinned(share: float, *loads_named: str) -> Loads:
    """Send only a share of what the named loads would."""

    def thin(load: Load) -> Load:
        if not load.name.startswith(loads_named):
            return load
        if isinstance(load, OpenLoop):
            kept = slice(None, None, max(1, round(1 / share)))
            return replace(load, arrivals_s=load.arrivals_s[kept], picks=load.picks[kept], groups=load.groups[kept])
        if isinstance(load, ClosedLoop):
            return replace(load, concurrency=1)
        if isinstance(load, Lone):
            return replace(load, count=max(1, int(load.count * share)))
        return load

    return lambda loads: [thin(load) for load in loads]


def without_cases(loads: list[Load]) -> list[Load]:
    """Poll readiness, but send no case when it turns good."""
    kept = [load for load in loads if load.name != "ready-cases"]
    return [replace(load, cases_count=0) if isinstance(load, Poll) else load for load in kept]


BLINDS: Mapping[str, Blind] = {
    "P1": Blind("no case is sent at readiness", without_cases),
    "P2": Blind("the weights are there all along", disarmed=frozenset({"weights"})),
    "P5": Blind("a twentieth of the overload", thinned(0.05, "overload")),
    "P10": Blind("the limiter is left alone", without("flood", "hold", "extra")),
    "P11": Blind("the readiness path is not asked", disarmed=frozenset({"readiness-asked"})),
    "D1": Blind("no work on the victim", without("short", "long", "nearly", "half-sent", "kept")),
    "D4": Blind("no connect to the victim", without("connect")),
    "D5": Blind("no load at all", without("")),
    "D7": Blind("no request near the budget", without("nearly")),
    "D8": Blind("the pod is not deleted", disarmed=frozenset({"deletion"})),
    "B1": Blind("one client at a time", thinned(0.05, "loop", "few")),
    "B2": Blind("one client at a time", thinned(0.05, "loop", "few")),
    "B3": Blind("no bursts", without("burst", "race")),
    "B4": Blind("a fifth of the lone requests", thinned(0.2, "lone", "trickle")),
    "B5": Blind("nothing fails", without("poison")),
    "A1": Blind("no load", disarmed=frozenset({"load"})),
    "A6": Blind("no load", disarmed=frozenset({"load"})),
    "L1": Blind("a twentieth of the overload", thinned(0.05, "overload")),
    "L2": Blind("the limiter is not exhausted", thinned(0.05, "exhaust", "saturate", "flood")),
    "L3": Blind("a third of the demand", thinned(0.34, "saturate")),
    "L6": Blind("a twentieth of the overload", thinned(0.05, "overload")),
    "L8": Blind("a twentieth of the overload", thinned(0.05, "overload")),
}
