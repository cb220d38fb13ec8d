"""Requests near the largest that a service takes: alone, in company, and as many at once as fill a batch."""

from __future__ import annotations

from seatrial.ledger import Ledger
from seatrial.traffic.plan import Exchange, Lone, OpenLoop, PodTarget

LARGE = "large"
ALONE, IN_COMPANY, TOGETHER = 0, 1, 2  # groups of the load
LARGE_ALONE, LARGE_IN_COMPANY = 2, 4
WITHIN_S = 60.0
AT_ONCE_S = 10.0  # of work, as lone ones take it one after the other: so many come at once


def alone(target: PodTarget, large: Exchange, count: int) -> Lone:
    """One after the other."""
    return Lone(LARGE, target, (large,), 0.01, count, 0.05, timeout_s=WITHIN_S)


def fit_at_once(most: int, lone: Ledger) -> int:
    """Of `most` large requests, how many may come at once; 0 where no two may, or no lone one was right.

    A batch of them may take as long as they would one after the other, and no trial waits long for it. The quickest of
    the lone ones counts: the first is the first that its pod was asked.
    """
    took_s = (lone.ended_s - lone.sent_s)[lone.right]
    fitting = min(most, int(AT_ONCE_S / took_s.min())) if len(took_s) else 0
    return fitting if fitting > 1 else 0


def in_company(target: PodTarget, large: Exchange, count: int, for_s: float) -> OpenLoop:
    """Spread over the shortest closed loop, two at once: each has company, whatever the others do."""
    moments = (count + 1) // 2
    arrivals_s = [for_s * (n // 2 + 1) / (moments + 1) for n in range(count)]
    return OpenLoop(LARGE, target, (large,), arrivals_s, (), [IN_COMPANY] * count, timeout_s=WITHIN_S)


def at_once(target: PodTarget, large: Exchange, count: int) -> OpenLoop:
    """Together, before anybody else comes: what is worked on of a whole batch may have a limit, too."""
    groups = [TOGETHER] * count
    return OpenLoop(LARGE, target, (large,), [0.01] * count, (), groups, timeout_s=WITHIN_S)
