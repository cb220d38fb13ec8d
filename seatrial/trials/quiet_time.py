"""Requests that come after a quiet time: to a replica of its own, which nobody asks meanwhile.

What has slept needs time to wake, and a service may let its engine, its connections or its timers sleep when nothing
comes. While one replica gets lone requests and a trickle another gets a request every few seconds, so these take no
time of their own. Being that few, they are judged by the median like the others, in as many looks. For a pass at the
first look none of 6 to 8 may be later than the bound, one of 9 to 11, two of 12 to 14. To fail takes 18, all of them
later, or 22 of 23: so it takes the second look. Each may be held up by the machine, and with so few one matters: their
bound is wider.
"""

from __future__ import annotations

QUIET = "quiet"
QUIET_S = 2.5  # in which nothing was asked
LEAST_ROWS = (6, 12)  # at the first look, and added at the second
MARGIN_S = 0.05
WORK_AFTER_IT = 2.0  # times as long, at most, takes the work: clocks have slowed down, and caches are cold


def arrivals_s(answer_s: float, for_s: float, least: int) -> list[float]:
    """When they are sent, the first after a quiet time: as many as find room in for_s, but no fewer than `least`.

    An answer is expected answer_s after each.
    """
    count = max(least, int((for_s + answer_s) / (QUIET_S + answer_s)))
    return [QUIET_S + number * (QUIET_S + answer_s) for number in range(count)]
