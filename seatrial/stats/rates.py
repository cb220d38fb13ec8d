"""Rates over time: batches of counts, the contrast of two rates, and whether arrivals are Poisson."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from seatrial.errors import InputError
from seatrial.stats import ALPHA, BETA, LOOKS, Decision
from seatrial.stats.intervals import Interval, refuse_unless_probability

Numbers = Sequence[float] | NDArray[np.float64]

MOST_AUTOCORRELATION = 0.2
BATCH_WIDTHS_S = (1.0, 2.0)


def _at_least(values: Numbers, fewest: int, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < fewest or not np.all(np.isfinite(array)):
        raise InputError(f"{what}: expected {fewest} or more finite numbers, found shape {array.shape}; measure longer")
    return array


def lag1_autocorrelation(values: Numbers) -> float:
    """How far each value foretells the next, -1 to 1; 0 for values that do not vary. Raises InputError below 3."""
    array = _at_least(values, 3, "autocorrelation")
    centred = array - array.mean()
    spread = float(np.dot(centred, centred))
    # Constant input leaves only rounding noise behind, of which no correlation can be taken.
    if spread <= 1e-24 * max(1.0, float(np.dot(array, array))):
        return 0.0
    return float(np.dot(centred[:-1], centred[1:]) / spread)


def counts(times_s: Numbers, start_s: float, end_s: float, width_s: float = 1.0) -> NDArray[np.float64]:
    """Events per whole batch of width_s in [start_s, end_s); a last batch cut short is left out.

    Raises InputError if not even one batch fits.
    """
    number = math.floor(round((end_s - start_s) / width_s, 9))
    if number < 1:
        raise InputError(f"batches: expected at least one of {width_s} s, found [{start_s}, {end_s}) s; measure longer")
    edges = start_s + width_s * np.arange(number + 1)
    times = np.sort(np.asarray(times_s, dtype=np.float64))
    return np.diff(np.searchsorted(times, edges, side="left")).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """A rate as it was, batch by batch."""

    rates_rps: NDArray[np.float64]
    width_s: float
    autocorrelation: float

    @property
    def independent(self) -> bool:
        """Whether neighbouring batches are independent enough for an interval."""
        return self.autocorrelation <= MOST_AUTOCORRELATION


def batched_rate(times_s: Numbers, start_s: float, end_s: float, drop_first_s: float = 2.0) -> Batches:
    """Rates in batches of 1 s, or of 2 s if those of 1 s hang together, after the warm-up that is dropped.

    Raises InputError if fewer than three batches remain.
    """
    for width_s in BATCH_WIDTHS_S:
        rates = counts(times_s, start_s + drop_first_s, end_s, width_s) / width_s
        batches = Batches(rates, width_s, lag1_autocorrelation(rates))
        if batches.independent:
            break
    return batches


@dataclass(frozen=True, slots=True)
class Contrast:
    """An estimate of mean2 - theta0 x mean1, normal with the given error and degrees of freedom."""

    value: float
    standard_error: float
    freedom: float

    def lower_bound(self, confidence: float) -> float:
        """The one-sided bound below."""
        refuse_unless_probability(confidence, "confidence")
        return self.value - self.standard_error * float(scipy.stats.t.ppf(confidence, self.freedom))

    def upper_bound(self, confidence: float) -> float:
        """The one-sided bound above."""
        refuse_unless_probability(confidence, "confidence")
        return self.value + self.standard_error * float(scipy.stats.t.ppf(confidence, self.freedom))

    def interval(self, confidence: float = 0.95) -> Interval:
        """The two-sided interval."""
        one_sided = 0.5 + confidence / 2
        return Interval(self.lower_bound(one_sided), self.upper_bound(one_sided), confidence)


def welch_contrast(first: Numbers, second: Numbers, theta0: float) -> Contrast:
    """mean(second) - theta0 x mean(first) of two batched rates of unequal spread.

    Raises InputError below 3 batches on either side. Source: Welch 1947, with Satterthwaite's degrees of freedom.
    """
    one = _at_least(first, 3, "the first rate")
    two = _at_least(second, 3, "the second rate")
    variance_one = theta0**2 * float(one.var(ddof=1)) / len(one)
    variance_two = float(two.var(ddof=1)) / len(two)
    total = variance_one + variance_two
    freedom = float(min(len(one), len(two)) - 1)
    if total > 0:
        # As shares of the total: squares of tiny variances would underflow to 0 / 0.
        share_one, share_two = variance_one / total, variance_two / total
        freedom = 1 / (share_one**2 / (len(one) - 1) + share_two**2 / (len(two) - 1))
    return Contrast(float(two.mean() - theta0 * one.mean()), math.sqrt(total), freedom)


def judge_ratio(first: Numbers, second: Numbers, theta0: float, alpha: float = ALPHA) -> Decision:
    """Whether the second rate is at least theta0 times the first. Raises InputError as `welch_contrast` does.

    Where batches hang together still, a pass needs a wider interval, as that of batches that each tell of the next
    (an autoregressive process of order 1: Steiger et al. 2005, "ASAP3").
    """
    contrast = welch_contrast(first, second, theta0)
    if contrast.upper_bound(1 - alpha / LOOKS) < 0:
        return "fail"
    wider = math.sqrt(max(_inflation(first), _inflation(second)))
    if replace(contrast, standard_error=contrast.standard_error * wider).lower_bound(1 - BETA / LOOKS) > 0:
        return "pass"
    return "between"


def _inflation(values: Numbers) -> float:
    """Of the variance of their mean, by their dependence on their neighbours; 1 where they count as independent."""
    foretold = lag1_autocorrelation(values)
    return (1 + foretold) / (1 - foretold) if foretold > MOST_AUTOCORRELATION else 1.0


def index_of_dispersion(batch_counts: Numbers) -> float:
    """Variance over mean of counts per batch: 1 for Poisson arrivals, 0 for a metronome. Raises InputError."""
    array = _at_least(batch_counts, 2, "index of dispersion")
    if array.mean() <= 0:
        raise InputError("index of dispersion: expected at least one event, found none; take a longer schedule")
    return float(array.var(ddof=1) / array.mean())


def dispersion_interval(batches: int, confidence: float = 0.999) -> Interval:
    """Where the index of dispersion of so many Poisson counts lies: chi-square over its degrees of freedom."""
    if batches < 2:
        raise InputError(f"index of dispersion: expected 2 or more batches, found {batches}; take a longer schedule")
    tail = (1 - confidence) / 2
    freedom = batches - 1
    return Interval(
        float(scipy.stats.chi2.ppf(tail, freedom) / freedom),
        float(scipy.stats.chi2.isf(tail, freedom) / freedom),
        confidence,
    )


def exponential_gaps_p_value(times_s: Numbers, rate_rps: float) -> float:
    """The p-value of Kolmogorov-Smirnov that the gaps of these arrival times are exponential with this rate.

    The rate is the one that was asked for, not one estimated from the same gaps: that would need Lilliefors'
    tables. Raises InputError below 3 arrivals.
    """
    array = np.sort(_at_least(times_s, 3, "arrival times"))
    if rate_rps <= 0:
        raise InputError(
            f"arrival rate: expected requests per second above 0, found {rate_rps}; give the rate asked for"
        )
    return float(scipy.stats.kstest(np.diff(array), "expon", args=(0, 1 / rate_rps)).pvalue)
