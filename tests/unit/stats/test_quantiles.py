"""Quantiles are values that were observed, with intervals that assume no shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seatrial.errors import InputError, InvalidMeasurement
from seatrial.stats.quantiles import (
    interval,
    interval_indices,
    quantile,
    smallest_n,
    smallest_n_two_sided,
    upper_bound,
)

finite = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("n", "q", "indices"), [(300, 0.95, (277, 293)), (1000, 0.99, (983, 997)), (100, 0.5, (40, 61))]
)
def test_the_indices_of_the_catalogue(n, q, indices):
    assert interval_indices(n, q, 0.95) == indices


@pytest.mark.parametrize(
    ("q", "at_95", "at_99", "at_five_nines"),
    [(0.5, 5, 7, 17), (0.9, 29, 44, 110), (0.95, 59, 90, 225), (0.99, 299, 459, 1146), (0.999, 2995, 4603, 11508)],
)
def test_the_smallest_n_of_an_upper_bound(q, at_95, at_99, at_five_nines):
    assert (smallest_n(q, 0.95), smallest_n(q, 0.99), smallest_n(q, 1 - 1e-5)) == (at_95, at_99, at_five_nines)


@pytest.mark.parametrize(("q", "at_95", "at_99"), [(0.5, 6, 8), (0.9, 36, 51), (0.95, 72, 104), (0.99, 368, 528)])
def test_the_smallest_n_of_a_two_sided_interval(q, at_95, at_99):
    assert (smallest_n_two_sided(q, 0.95), smallest_n_two_sided(q, 0.99)) == (at_95, at_99)


def test_at_the_smallest_n_the_maximum_is_the_bound():
    samples = np.arange(59.0)
    assert upper_bound(samples, 0.95) == 58.0
    with pytest.raises(InvalidMeasurement, match="expected at least 59 samples, found 58"):
        upper_bound(samples[:-1], 0.95)


def test_below_the_smallest_n_there_is_no_interval():
    assert interval(np.arange(72.0), 0.95).high == 71.0
    with pytest.raises(InvalidMeasurement, match="expected at least 72 samples, found 71"):
        interval(np.arange(71.0), 0.95)


@pytest.mark.parametrize(
    ("samples", "q", "value"),
    [([3.0, 1.0, 2.0], 0.5, 2.0), ([1.0, 2.0], 0.5, 1.0), ([7.0], 0.99, 7.0), (range(1, 101), 0.07, 7.0)],
)
def test_definition_1_takes_an_observation(samples, q, value):
    """At an even n the lower of the two middle values, and no step up from rounding in q x n."""
    assert quantile(list(samples), q) == value


@given(st.lists(finite, min_size=1), st.floats(0.001, 0.999))
def test_a_quantile_was_observed_and_splits_the_samples(samples, q):
    """At least q of the samples are at or below it, and less than q strictly below."""
    value = quantile(samples, q)
    at_or_below = sum(sample <= value for sample in samples)
    below = sum(sample < value for sample in samples)
    assert value in samples
    assert at_or_below >= q * len(samples) - 1e-6
    assert below <= q * len(samples) + 1e-6


@given(st.integers(6, 3000), st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.sampled_from([0.9, 0.95, 0.99]))
def test_indices_follow_their_definition(n, q, confidence):
    """The largest l and the smallest u that spend at most half of the error on each side."""
    if n < smallest_n_two_sided(q, confidence):
        return
    low, high = interval_indices(n, q, confidence)
    tail = (1 - confidence) / 2
    assert stats.binom.cdf(low - 1, n, q) <= tail < stats.binom.cdf(low, n, q)
    assert stats.binom.cdf(high - 1, n, q) >= 1 - tail - 1e-12 > stats.binom.cdf(high - 2, n, q) - 2e-12
    assert 1 <= low <= high <= n


@given(st.lists(finite, min_size=72, max_size=200))
def test_the_interval_holds_the_quantile(samples):
    assert quantile(samples, 0.95) in interval(samples, 0.95)


@pytest.mark.parametrize("samples", [[], [1.0, float("nan")], [[1.0], [2.0]]])
def test_samples_that_are_none_are_refused(samples):
    with pytest.raises(InputError, match="expected one or more numbers"):
        quantile(samples, 0.5)


@pytest.mark.parametrize("q", [0.0, 1.0, 95])
def test_a_percent_is_no_probability(q):
    with pytest.raises(InputError, match="not a percent"):
        quantile([1.0], q)
