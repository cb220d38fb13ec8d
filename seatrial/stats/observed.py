"""Quantiles of a run, with intervals that are as wide as the dependence of its requests makes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seatrial.stats.dependence import dependence
from seatrial.stats.quantiles import (
    Samples,
    interval_indices,
    quantile_of_sorted,
    smallest_n_two_sided,
    sorted_samples,
)


@dataclass(frozen=True, slots=True)
class Quantile:
    """An observed quantile and its interval, in the unit of its samples; None where there is no interval."""

    percentile: float  # 99.9 for q = 0.999
    value: float
    low: float | None
    high: float | None
    needed: int | None  # samples for an interval; None: no number of them has one
    effective_n: float | None = None  # as many independent samples have that interval; None: these are independent


def observed(samples: Samples, qs: Sequence[float], confidence: float | None = 0.95) -> tuple[Quantile, ...]:
    """The q-quantiles of samples in the order of their schedule, each with its interval where they are enough for one.

    Order statistics enclose a quantile, chosen as for as many independent samples as these are worth. A confidence of
    None asks for no interval. Raises InputError without samples, for NaN, and for q outside (0, 1).
    """
    values = np.asarray(samples, dtype=np.float64)
    ordered = sorted_samples(values)
    n, found = len(values), []
    for q in qs:
        percentile, value = round(q * 100, 9), quantile_of_sorted(ordered, q)
        if confidence is None:
            found.append(Quantile(percentile, value, None, None, None))
            continue
        seen = dependence(values, values > value, ordered)
        worth = seen.effective_n
        needed, whole = smallest_n_two_sided(q, confidence), int(worth)
        low = high = None
        if whole >= needed:
            first, last = interval_indices(whole, q, confidence)
            low, high = (float(ordered[at]) for at in ((first - 1) * n // whole, -(-last * n // whole) - 1))
        found.append(
            Quantile(percentile, value, low, high, math.ceil(needed * n / worth), None if seen.independent else worth)
        )
    return tuple(found)
