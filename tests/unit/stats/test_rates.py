"""Rates are compared batch by batch, and arrivals are what they were meant to be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seatrial.errors import InputError
from seatrial.stats.rates import (
    batched_rate,
    counts,
    dispersion_interval,
    exponential_gaps_p_value,
    index_of_dispersion,
    judge_ratio,
    lag1_autocorrelation,
    welch_contrast,
)

# Whole numbers: nearly identical floats leave both implementations with rounding noise only.
rates = st.lists(st.integers(0, 1000).map(float), min_size=3, max_size=60)


def poisson(rate_rps: float, length_s: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.exponential(1 / rate_rps, int(rate_rps * length_s)))


@given(rates, rates)
def test_the_contrast_at_one_is_welchs_t_test(first, second):
    """theta0 = 1 compares two means, which scipy does too."""
    contrast = welch_contrast(first, second, 1.0)
    if contrast.standard_error < 1e-6:
        return
    reference = stats.ttest_ind(second, first, equal_var=False)
    assert contrast.value / contrast.standard_error == pytest.approx(reference.statistic, rel=1e-6, abs=1e-9)
    assert contrast.freedom == pytest.approx(reference.df, rel=1e-6)
    expected = reference.confidence_interval(0.95)
    assert contrast.interval(0.95).low == pytest.approx(expected.low, rel=1e-6, abs=1e-6)


@given(rates, rates, st.floats(0.1, 2.0))
def test_scaling_the_first_rate_is_what_theta0_does(first, second, theta0):
    scaled = welch_contrast([theta0 * rate for rate in first], second, 1.0)
    contrast = welch_contrast(first, second, theta0)
    assert contrast.value == pytest.approx(scaled.value, abs=1e-6)
    assert contrast.standard_error == pytest.approx(scaled.standard_error, rel=1e-6, abs=1e-6)


def test_a_goodput_that_holds_passes_and_one_that_halves_fails():
    """18 and 40 batches at a coefficient of variation of 0.1, with the limit at 0.8 of the first."""
    rng = np.random.default_rng(7)
    before = rng.normal(100, 10, 18)
    assert judge_ratio(before, rng.normal(100, 10, 40), 0.8) == "pass"
    assert judge_ratio(before, rng.normal(50, 5, 40), 0.8) == "fail"
    assert judge_ratio(before, rng.normal(78, 8, 40), 0.8) == "between"


def test_a_goodput_that_wanders_needs_more_for_a_pass():
    """The same batches in another order: those of ten seconds are alike."""
    rng = np.random.default_rng(7)
    before, loaded = rng.normal(100, 10, 20), np.repeat([70.0, 115.0, 72.0, 112.0], 10) + rng.normal(0, 1, 40)
    assert judge_ratio(before, rng.permutation(loaded), 0.8) == "pass"
    assert judge_ratio(before, loaded, 0.8) == "between"
    assert judge_ratio(before, loaded * 0.4, 0.8) == "fail"


def test_rates_that_do_not_vary_are_still_decided():
    assert judge_ratio([10.0] * 5, [9.0] * 5, 0.8) == "pass"
    assert judge_ratio([10.0] * 5, [7.0] * 5, 0.8) == "fail"


def test_counts_fill_whole_batches_only():
    """A time on an edge belongs to the batch that begins there; the last half batch is left out."""
    assert counts([0.0, 0.5, 1.0, 1.9, 2.2], 0.0, 2.5).tolist() == [2.0, 2.0]


def test_batches_are_1_s_for_independent_arrivals():
    batches = batched_rate(poisson(50, 60), 0, 60)
    assert (batches.width_s, batches.independent, len(batches.rates_rps)) == (1.0, True, 58)


def test_batches_are_2_s_where_those_of_1_s_hang_together():
    """Three fast seconds, three slow ones: each second foretells the next."""
    per_second = [20, 20, 20, 5, 5, 5] * 7
    times = [second + i / count for second, count in enumerate(per_second) for i in range(count)]
    batches = batched_rate(times, 0, 42)
    assert batches.width_s == 2.0


@given(rates)
def test_autocorrelation_lies_between_its_bounds(values):
    assert -1.0 <= lag1_autocorrelation(values) <= 1.0


@pytest.mark.parametrize(("values", "sign"), [([1, 2] * 20, -1), ([1] * 20 + [2] * 20, 1), ([3.3] * 9, 0)])
def test_autocorrelation_tells_alternation_from_persistence(values, sign):
    assert np.sign(lag1_autocorrelation(values)) == sign


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_poisson_arrivals_are_accepted(seed):
    times = poisson(100, 60, seed)
    assert index_of_dispersion(counts(times, 0, 55)) in dispersion_interval(55)
    assert exponential_gaps_p_value(times, 100) > 0.001


def test_a_metronome_is_refused():
    times = np.arange(0, 60, 0.01)
    assert index_of_dispersion(counts(times, 0, 60)) < dispersion_interval(60).low
    assert exponential_gaps_p_value(times, 100) < 0.001


def test_poisson_arrivals_at_another_rate_are_refused():
    assert exponential_gaps_p_value(poisson(120, 60), 100) < 0.001


def test_bursts_are_refused():
    times = np.repeat(poisson(20, 60), 5)
    assert index_of_dispersion(counts(times, 0, 55)) > dispersion_interval(55).high


def test_the_dispersion_interval_is_chi_square():
    interval = dispersion_interval(31, 0.95)
    assert (interval.low * 30, interval.high * 30) == pytest.approx((16.791, 46.979), abs=1e-3)


def test_two_batches_are_too_few():
    with pytest.raises(InputError, match="expected 3 or more finite numbers"):
        welch_contrast([1.0, 2.0], [1.0, 2.0, 3.0], 0.8)
