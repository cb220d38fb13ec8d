"""Shares of rows: how often something happened, and whether that is more often than allowed.

Reported with Wilson's interval, decided with the exact one of Clopper and Pearson.
Source: Brown, Cai, DasGupta 2001, "Interval Estimation for a Binomial Proportion".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import scipy

from seatrial.errors import InputError
from seatrial.stats import ALPHA, BETA, LOOKS, Decision
from seatrial.stats.intervals import Interval, refuse_unless_probability


def _refuse_bad_counts(events: float, n: float) -> None:
    if n < 1 or not 0 <= events <= n:
        raise InputError(
            f"a proportion: expected 0 <= events <= n with n above 0, found events={events}, n={n}; "
            "count the rows first, and do not judge an empty set"
        )


def wilson(events: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's two-sided score interval of a proportion, for reports.

    Raises InputError for counts that are no proportion.
    """
    _refuse_bad_counts(events, n)
    refuse_unless_probability(confidence, "confidence")
    z = float(scipy.stats.norm.ppf(0.5 + confidence / 2))
    share = events / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if events == 0 else max(0.0, centre - half)
    high = 1.0 if events == n else min(1.0, centre + half)
    return Interval(low, high, confidence)


def upper_bound(events: float, n: float, confidence: float = 0.95) -> float:
    """The one-sided Clopper-Pearson bound above a proportion. Raises InputError as `wilson` does.

    Rows that are not independent count as fewer, an effective n, which need not be whole, nor the events in it.
    """
    _refuse_bad_counts(events, n)
    refuse_unless_probability(confidence, "confidence")
    return 1.0 if events == n else float(scipy.stats.beta.isf(1 - confidence, events + 1, n - events))


def lower_bound(events: float, n: float, confidence: float = 0.95) -> float:
    """The one-sided Clopper-Pearson bound below a proportion, of counts as above. Raises InputError as it does."""
    _refuse_bad_counts(events, n)
    refuse_unless_probability(confidence, "confidence")
    return 0.0 if events == 0 else float(scipy.stats.beta.ppf(1 - confidence, events, n - events + 1))


def chance_of_more(events: int, n: int, events_before: int, n_before: int) -> float:
    """How likely so many of the events, or more, fall among these n by chance alone: Fisher's exact test, one-sided.

    Raises InputError as `wilson` does. Source: Fisher 1934, "Statistical Methods for Research Workers", 21.02.
    """
    _refuse_bad_counts(events, n)
    _refuse_bad_counts(events_before, n_before)
    return float(scipy.stats.hypergeom.sf(events - 1, n + n_before, events + events_before, n))


def zero_event_bound(n: int, confidence: float = 0.95) -> float:
    """The rate that n rows without a single event exclude; about 3/n at 95 %."""
    _refuse_bad_counts(0, n)
    refuse_unless_probability(confidence, "confidence")
    return float(-math.expm1(math.log1p(-confidence) / n))


def zero_event_n(rate: float, confidence: float = 0.95) -> int:
    """The fewest rows without an event that exclude `rate`."""
    refuse_unless_probability(rate, "rate")
    refuse_unless_probability(confidence, "confidence")
    return math.ceil(math.log1p(-confidence) / math.log1p(-rate))


def judge_proportion(events: float, n: float, bound: float, alpha: float = ALPHA, look: Literal[1, 2] = 1) -> Decision:
    """Whether events happen more often than `bound` (0 to 1).

    `fail`: certainly more often; `pass`: certainly less often; `between`: at the first look extend the same
    stimulus to 3 n and look again, at the second the check is inconclusive. Both looks use the same bounds;
    a third is refused, since looking until it passes would spend more than the two error rates.
    Raises InputError for counts that are no proportion, a bound outside (0, 1) and a third look.
    """
    _refuse_bad_counts(events, n)
    refuse_unless_probability(bound, "bound")
    refuse_unless_probability(alpha, "alpha")
    if look not in (1, 2):
        raise InputError(f"look: expected 1 or 2, found {look}; report the check as inconclusive after the second look")
    if lower_bound(events, n, 1 - alpha / LOOKS) > bound:
        return "fail"
    if upper_bound(events, n, 1 - BETA / LOOKS) < bound:
        return "pass"
    return "between"


@dataclass(frozen=True, slots=True)
class Limits:
    """Where `judge_proportion` decides for one n: None where no count of this n can decide so."""

    pass_at_most: int | None
    fail_at_least: int | None
    smallest_failing_share: float | None  # fails with probability 0.95 or more; what a pass excludes


def proportion_limits(n: int, bound: float, alpha: float = ALPHA) -> Limits:
    """The counts at which `judge_proportion` passes and fails, and the minimum detectable effect of n rows."""
    decisions = [judge_proportion(events, n, bound, alpha) for events in _near(n, bound)]
    passing = [events for events, decision in zip(_near(n, bound), decisions, strict=True) if decision == "pass"]
    failing = [events for events, decision in zip(_near(n, bound), decisions, strict=True) if decision == "fail"]
    first_failing = min(failing, default=None)
    return Limits(max(passing, default=None), first_failing, _share_that_fails(n, first_failing))


def _near(n: int, bound: float) -> range:
    """Counts around n x bound, wide enough to hold both limits: ten standard deviations to each side."""
    reach = 10 * math.sqrt(n * bound * (1 - bound)) + 30
    return range(max(0, int(n * bound - reach)), min(n, math.ceil(n * bound + reach)) + 1)


def _share_that_fails(n: int, fail_at_least: int | None) -> float | None:
    if fail_at_least is None:
        return None
    return float(
        scipy.optimize.brentq(lambda share: scipy.stats.binom.sf(fail_at_least - 1, n, share) - (1 - BETA), 0.0, 1.0)
    )
