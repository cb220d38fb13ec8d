"""Whether the requests that were sent keep the arrival law that was stated. Pure.

Two things are asked. Every request has to be due where the seed puts it, to a microsecond. And the gaps between the
moments at which they were really sent have to follow the law: Kolmogorov-Smirnov against the gamma distribution, in
operational time, so that a ramp is tested like a steady rate (time-rescaling theorem, Brown et al. 2002).

A generator starts nothing early and everything a little late, and several arrivals that are due within that lag go
out together. How much lag is too much is judged by itself (seatrial.observation.GeneratorHealth); here it must not
be held against the law. So a gap between two sent times stands for every gap that was possible if each was late by
no more than is allowed, and the statistic is the smallest that any choice among them has, less the share of gaps
with an end that was later. Whatever is allowed, that is never larger than the statistic of the gaps as they were
drawn; the largest over three allowances is taken. And a draw that would not be accepted is never sent
(seatrial.loads.schedule): a run whose generator kept its schedule cannot fail. Where lags are small against gaps
this is the ordinary test; where they are not, it says less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.special

from seatrial.errors import InputError
from seatrial.ledger import Floats
from seatrial.traffic.arrivals import Intensity

ALPHA = 0.001
FEWEST_GAPS = 10
RESOLUTION_S = 1e-6
_ALLOWANCES = (0.99, 0.999, 1.0)  # quantiles of the lags
_AT_ONCE = 1 << 16
_MOST_EXACT = 10_000  # gaps; the exact distribution is a sum over all of them


@dataclass(frozen=True, slots=True)
class GapTest:
    """Kolmogorov-Smirnov on gaps; `lag_s` is what was allowed for starts that were late."""

    gaps: int
    lag_s: float
    statistic: float
    p_value: float

    @property
    def accepted(self) -> bool:
        """The law is not refuted at 0.001."""
        return self.p_value >= ALPHA


def gap_test(sent_s: Floats, lags_s: Floats, intensity: Intensity, cv: float) -> GapTest | None:
    """Whether times (shape (n,), any order) are a renewal process of this rate whose gaps have this cv (above 0).

    `lags_s`, shape (n,), is how much later than due each was; zeros test a schedule itself. None below 10 gaps, which
    refute nothing. The gap at the end of the window that is never seen whole moves the statistic by 1 / n at most.
    """
    if cv <= 0 or len(sent_s) != len(lags_s) or not (np.isfinite(sent_s) & np.isfinite(lags_s)).all():
        raise InputError(
            f"gaps: expected a cv above 0 and a lag for each of {len(sent_s)} times that came, "
            f"found cv {cv} and {len(lags_s)} lags; equal gaps are compared with their places instead"
        )
    count = len(sent_s) - 1
    if count < FEWEST_GAPS:
        return None
    if bool((sent_s[1:] < sent_s[:-1]).any()):
        order = np.argsort(sent_s, kind="stable")
        sent_s, lags_s = sent_s[order], lags_s[order]
    allowed_s = np.unique(np.quantile(lags_s, _ALLOWANCES, method="inverted_cdf")).tolist()
    statistic, lag_s = max((_distance(sent_s, lags_s, lag_s, intensity, cv**-2), lag_s) for lag_s in allowed_s)
    return GapTest(count, lag_s, statistic, p_value(statistic, count))


def p_value(statistic: float, gaps: int) -> float:
    """How likely a distance from the law is that is as large or larger, within 0.2 % of the exact probability.

    Near 1 by the limit distribution with Vrbik's correction for few gaps; near 0, where this is too large, by the exact
    distribution of the distance to one side, twice: that both sides are so far off hardly happens. scipy.stats has this
    as one function; every generator would spend 0.7 s on importing it. Sources: Smirnov 1944; Vrbik 2018, "Small-sample
    corrections to Kolmogorov-Smirnov test statistic".
    """
    scaled = math.sqrt(gaps) * statistic
    corrected = scaled + 1 / (6 * math.sqrt(gaps)) + (scaled - 1) / (4 * gaps)
    limit = float(scipy.special.kolmogorov(corrected))
    return limit if gaps > _MOST_EXACT else min(limit, 2 * float(scipy.special.smirnov(gaps, statistic)))


def _distance(sent_s: Floats, lags_s: Floats, lag_s: float, intensity: Intensity, shape: float) -> float:
    """The least distance from the law that the gaps can have had, were all starts late by lag_s at most."""
    late_s, count = lag_s + RESOLUTION_S, len(sent_s) - 1

    def shortest(first_s: Floats, next_s: Floats) -> Floats:
        return np.maximum(intensity.expected(next_s - late_s) - intensity.expected(first_s), 0.0)

    def longest(first_s: Floats, next_s: Floats) -> Floats:
        return intensity.expected(next_s) - intensity.expected(first_s - late_s)

    # One after the other, and some thousand gaps at a time: of ten million, all that is in between would not fit.
    low = _in_law(shortest, sent_s, shape)
    below = max(float((low[some] - _steps(some, count)).max()) for some in _some(count))
    del low
    high = _in_law(longest, sent_s, shape)
    above = max(float((_steps(some, count, up_to=1) - high[some]).max()) for some in _some(count))
    later = lags_s > lag_s
    return max(0.0, max(below, above) - float((later[1:] | later[:-1]).mean()))


def _in_law(
    gaps: Callable[[Floats, Floats], Floats], sent_s: Floats, shape: float, into: Floats | None = None
) -> Floats:
    """How likely gaps are that are no longer than these, in operational time; ascending, in the memory of `into`."""
    found = np.empty(len(sent_s) - 1) if into is None else into
    for some in _some(len(found)):
        found[some] = scipy.special.gammainc(shape, shape * gaps(sent_s[:-1][some], sent_s[1:][some]))
    found.sort()
    return found


def _steps(some: slice, count: int, up_to: int = 0) -> Floats:
    """The shares of `count` that come before these places, or, with 1, up to them."""
    return np.asarray(np.arange(some.start + up_to, min(some.stop, count) + up_to) / count, dtype=np.float64)


def _some(count: int) -> Iterator[slice]:
    """All of them, in pieces."""
    return (slice(first, first + _AT_ONCE) for first in range(0, count, _AT_ONCE))


def misplaced(due_s: Floats, expected_s: Floats) -> int:
    """How many requests were not due where they had to be, counting those that are missing or too many."""
    both = min(len(due_s), len(expected_s))
    moved = [np.abs(due_s[:both][some] - expected_s[:both][some]) > RESOLUTION_S for some in _some(both)]
    return sum(int(each.sum()) for each in moved) + abs(len(due_s) - len(expected_s))
