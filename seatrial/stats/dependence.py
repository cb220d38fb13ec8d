"""How many independent requests a run is worth whose requests hang together.

Near saturation neighbours in a queue are alike: one crowded moment makes a hundred of them late. A share of n such
requests is as uncertain as one of fewer independent ones, the effective n = n / (1 + 2 x sum of autocorrelations). The
sum goes as far as the dependence does: Geyer's initial monotone sequence. Where all of it is within two standard errors
of nothing the requests count as independent, so that these lose nothing. With the effective n, and Student's t for the
few stretches of that length that the run has, the exact bounds for a binomial are taken, as for surveys.

A run in which hardly any request was late shows little of how the late ones cluster. What comes closest is asked as
well, then: the slowest fifth, tenth and twentieth of the requests (or the quickest, where nearly all were late).

Sources: Geyer 1992, "Practical Markov Chain Monte Carlo", section 3.3; Korn and Graubard 1998, "Confidence intervals
for proportions with small expected number of positive counts estimated from survey data"; for effective sizes of
indicators and quantiles, Vehtari et al. 2021, "Rank-normalization, folding, and localization". Beside batch means and
Heidelberger and Welch's spectral estimate (1981) it needs no number of batches or of frequencies that is chosen before
the data are seen. What it does for a queue is in docs/benchmarks.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from seatrial.errors import InputError
from seatrial.stats import ALPHA, Decision, proportions
from seatrial.stats.intervals import Interval
from seatrial.stats.quantiles import quantile_of_sorted, sorted_samples

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

CONFIDENCE = 0.95
TAILS = (0.05, 0.1, 0.2)  # of the rarer side: whose clusters are looked at where the event itself is rarer
MOST_PLACES = 1 << 15  # a longer run is taken in as many batches of neighbours
STANDARD_ERRORS = 2.0
LEAST_EFFECTIVE = 2.0  # no run says less than its two halves
_LONGEST = 10_000_000  # effective requests; a share that needs more cannot be told from the limit


@dataclass(frozen=True, slots=True)
class Dependence:
    """What n requests in the order of their schedule are worth; `inflation` is that of the variance of a share."""

    n: int
    effective_n: float  # n where they are independent
    inflation: float  # 1 where they are
    reach: int  # so many requests further on nothing of the dependence is left; 0 where there is none

    @property
    def independent(self) -> bool:
        """Nothing refutes it."""
        return self.reach == 0


def dependence(values: Values, event: Mask, ordered: Values | None = None) -> Dependence:
    """How far requests hang together in whether `event` happened to them; both of shape (n,), in order of schedule.

    `values` is what the event is a limit on (a latency; inf for what never ended), and `event` the values beyond it;
    `ordered` are the values from the smallest to the largest, where the caller has them. Raises InputError for shapes
    that differ, without a row, and for NaN.
    """
    n = len(values)
    if values.shape != (n,) or event.shape != (n,) or not n or bool(np.isnan(values).any()):
        raise InputError(
            f"dependence: expected a value without NaN and an event for each of one request or more, found shapes "
            f"{values.shape} and {event.shape}; give inf for what never ended"
        )
    share = float(event.mean())
    rarer = min(share, 1 - share)
    found = [_inflation(event)]
    if rarer < max(TAILS):
        ordered = sorted_samples(values) if ordered is None else ordered
        sides = [1 - tail if share <= 0.5 else tail for tail in TAILS if rarer < tail]
        found += [_inflation(values > quantile_of_sorted(ordered, side)) for side in sides]
    inflation, reach = max(found)
    if not reach:
        return Dependence(n, float(n), 1.0, 0)
    normal, student = scipy.stats.norm.ppf(CONFIDENCE), scipy.stats.t.ppf(CONFIDENCE, max(1.0, n / reach))
    effective = n / inflation * float(normal / student) ** 2
    return Dependence(n, min(float(n), max(effective, LEAST_EFFECTIVE)), inflation, reach)


def share_bounds(events: int, found: Dependence) -> Interval:
    """The one-sided bounds of a share at 95 % each: surely not below `low`, surely not above `high`.

    Whatever the dependence, a share is at most 20 times its expectation with that confidence (Markov's inequality).
    Raises InputError for events that are not 0 to n.
    """
    share, n = events / found.n, found.effective_n
    counted = float(events) if n == found.n else share * n
    low = max(proportions.lower_bound(counted, n, CONFIDENCE), (1 - CONFIDENCE) * share)
    high = min(proportions.upper_bound(counted, n, CONFIDENCE), 1 - (1 - CONFIDENCE) * (1 - share))
    return Interval(low, high, CONFIDENCE)


def judge_share(event: Mask, bound: float, alpha: float = ALPHA) -> Decision:
    """`judge_proportion` of requests in the order of their schedule, but that a pass needs as many as they are worth.

    What happened more often than the bound has happened, whatever hangs together; but if late requests come in crowds,
    few of them may be few crowds only, and prove less. Raises InputError without a row.
    """
    events, n = int(event.sum()), len(event)
    decision = proportions.judge_proportion(events, n, bound, alpha)
    found = dependence(event.astype(np.float64), event)
    if decision != "pass" or found.independent:
        return decision
    fewer = found.effective_n
    return "pass" if proportions.judge_proportion(events / n * fewer, fewer, bound, alpha) == "pass" else "between"


def requests_to_decide(share: float, limit: float, found: Dependence) -> int | None:
    """How many requests it takes until a share is surely within the limit, or surely beyond it, if both stay.

    None where the share is too near the limit for any run.
    """

    def decides(n: int) -> bool:
        if share > limit:
            return proportions.lower_bound(share * n, n, CONFIDENCE) > limit
        return proportions.upper_bound(share * n, n, CONFIDENCE) <= limit

    high = 1
    while not decides(high):
        high *= 2
        if high > _LONGEST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return math.ceil(high * found.n / found.effective_n)


def _inflation(event: Mask) -> tuple[float, int]:
    """How much larger the variance of its share is than that of independent rows, and how many rows that reaches."""
    share = float(event.mean())
    if not 0 < share < 1:
        return 1.0, 0
    size = -(-len(event) // MOST_PLACES)
    whole = len(event) // size
    batches = event[: whole * size].reshape(whole, size).mean(axis=1)
    variance = float(batches.var())
    if variance == 0.0:
        return 1.0, 0
    pairs = _initial_monotone(batches - batches.mean(), variance)
    inflation = size * variance / (share * (1 - share)) * (2 * float(pairs.sum()) - 1)
    lags = 2 * len(pairs)
    # The standard error of so many autocorrelations of independent rows, and of the variance of their batches.
    error = 2 * math.sqrt((lags + (size > 1)) / whole)
    return (inflation, lags * size) if inflation > 1 + STANDARD_ERRORS * error else (1.0, 0)


def _initial_monotone(centred: Values, variance: float) -> Values:
    """Sums of two neighbouring autocorrelations each, from lags 0 and 1 on, as long as they are above 0, not rising."""
    n = len(centred)
    length = scipy.fft.next_fast_len(2 * n, real=True)
    spectrum = np.abs(scipy.fft.rfft(centred, length)) ** 2
    correlations = scipy.fft.irfft(spectrum, length)[: n // 2 * 2] / (n * variance)
    pairs = correlations[::2] + correlations[1::2]
    ended = np.flatnonzero(pairs <= 0)
    if len(ended):
        pairs = pairs[: max(1, int(ended[0]))]
    falling: Values = np.minimum.accumulate(pairs)
    return falling
