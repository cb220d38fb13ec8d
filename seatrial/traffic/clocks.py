"""Two monotonic clocks compared by asking: what one shows when the other does, and how surely."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_ROUND_TRIPS = 20


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """This process's clock minus the other's, right within `bound_s`: half of the best round trip."""

    offset_s: float
    bound_s: float


SAME_CLOCK = ClockOffset(0.0, 0.0)


def compared(others_now_s: Callable[[], float]) -> ClockOffset:
    """Ask for the other's time.monotonic(); the best of 20 round trips counts (Cristian 1989)."""
    best: ClockOffset | None = None
    for _ in range(_ROUND_TRIPS):
        before_s = time.monotonic()
        other_s = others_now_s()
        after_s = time.monotonic()
        found = ClockOffset((before_s + after_s) / 2 - other_s, (after_s - before_s) / 2)
        if best is None or found.bound_s < best.bound_s:
            best = found
    assert best is not None
    return best


def bound_s(then: Sequence[ClockOffset], now: ClockOffset) -> float:
    """Within what the clocks of measurements made before are known still, in seconds; this covers drift since."""
    return max(max(one.bound_s, now.bound_s) + _beyond(one, now) for one in then)


def _beyond(one: ClockOffset, other: ClockOffset) -> float:
    """How much two measurements of one offset differ beyond what their bounds explain."""
    return max(0.0, abs(one.offset_s - other.offset_s) - one.bound_s - other.bound_s)
