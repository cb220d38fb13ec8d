"""Quantiles by order statistics: no shape is assumed, and nothing is interpolated.

With B ~ Binomial(n, q) the number of observations below the q-quantile, the order statistics x(l) and x(u)
enclose it with a confidence that only depends on n and q. A quantile is refused below the n at which that
interval exists. Samples are arrays of shape (n,), any order, without NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from seatrial.errors import InputError, InvalidMeasurement
from seatrial.stats.intervals import Interval, refuse_unless_probability

Samples = Sequence[float] | NDArray[np.float64]


def sorted_samples(samples: Samples) -> NDArray[np.float64]:
    """From the smallest to the largest. Raises InputError without any, and for NaN."""
    values = np.sort(np.asarray(samples, dtype=np.float64))
    if values.ndim != 1 or len(values) == 0 or np.isnan(values[-1]):
        raise InputError(
            f"a quantile: expected one or more numbers without NaN, found shape {values.shape}; "
            "leave out rows that did not end, and count them apart"
        )
    return values


def quantile(samples: Samples, q: float) -> float:
    """The q-quantile (q in 0 to 1): always a value that was observed.

    Raises InputError without samples or for q outside (0, 1). Source: Hyndman and Fan 1996, definition 1.
    """
    return quantile_of_sorted(sorted_samples(samples), q)


def quantile_of_sorted(values: NDArray[np.float64], q: float) -> float:
    """The same, of samples that are in ascending order already."""
    refuse_unless_probability(q, "q")
    # 0.07 * 100 is a little above 7 in floating point, and the next observation would be taken.
    index = math.ceil(round(q * len(values), 9))
    return float(values[max(index, 1) - 1])


def interval_indices(n: int, q: float, confidence: float = 0.95) -> tuple[int, int]:
    """The order statistics (l, u), counted from 1, that enclose the q-quantile of n samples.

    Raises InvalidMeasurement if n is too small, and says how many are needed.
    """
    _refuse_too_few(n, q, confidence, sides=2)
    tail = (1 - confidence) / 2
    return _lower_index(n, q, tail), _upper_index(n, q, tail)


def _lower_index(n: int, q: float, tail: float) -> int:
    """The largest l with P(B <= l - 1) <= tail."""
    index = int(scipy.stats.binom.ppf(tail, n, q))  # the smallest b with P(B <= b) >= tail
    return index + 1 if scipy.stats.binom.cdf(index, n, q) <= tail else index


def _upper_index(n: int, q: float, tail: float) -> int:
    """The smallest u with P(B <= u - 1) >= 1 - tail."""
    return int(scipy.stats.binom.isf(tail, n, q)) + 1


def interval(samples: Samples, q: float, confidence: float = 0.95) -> Interval:
    """The two-sided interval of the q-quantile. Raises as `quantile` and `interval_indices` do."""
    values = sorted_samples(samples)
    low, high = interval_indices(len(values), q, confidence)
    return Interval(float(values[low - 1]), float(values[high - 1]), confidence)


def upper_bound(samples: Samples, q: float, confidence: float = 0.95) -> float:
    """The one-sided bound above the q-quantile. Raises as `interval` does."""
    values = sorted_samples(samples)
    _refuse_too_few(len(values), q, confidence, sides=1)
    return float(values[_upper_index(len(values), q, 1 - confidence) - 1])


def smallest_n(q: float, confidence: float = 0.95) -> int:
    """The fewest samples with a one-sided upper bound of the q-quantile: there the maximum is the bound."""
    refuse_unless_probability(q, "q")
    refuse_unless_probability(confidence, "confidence")
    return math.ceil(math.log1p(-confidence) / math.log(q))


def smallest_n_two_sided(q: float, confidence: float = 0.95) -> int:
    """The fewest samples with a two-sided interval of the q-quantile."""
    refuse_unless_probability(q, "q")
    refuse_unless_probability(confidence, "confidence")
    return math.ceil(math.log((1 - confidence) / 2) / math.log(max(q, 1 - q)))


def _refuse_too_few(n: int, q: float, confidence: float, sides: int) -> None:
    needed = smallest_n(q, confidence) if sides == 1 else smallest_n_two_sided(q, confidence)
    if n < needed:
        raise InvalidMeasurement(
            f"the {q:g}-quantile at {confidence:g} confidence: expected at least {needed} samples, found {n}; "
            "measure longer, or ask for a lower quantile"
        )
