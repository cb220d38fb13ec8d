"""The schedule is drawn beforehand, from a seed.

Bounds on what was drawn at random are such that a right schedule fails them once in a million.
"""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seatrial.errors import InputError
from seatrial.traffic import arrivals
from seatrial.traffic.arrivals import Intensity, drawn

RARE = 1e-6
seeds = st.integers(0, 2**40)
cvs = st.one_of(st.just(0.0), st.just(1.0), st.floats(0.1, 5))
intensities = st.builds(
    lambda start_s, span_s, from_rps, to_rps: Intensity(start_s, start_s + span_s, from_rps, to_rps),
    st.floats(0, 1e4), st.floats(0.1, 60), st.floats(0, 50), st.floats(0.1, 50),
)  # fmt: skip
RAMP = Intensity(10.0, 70.0, 5.0, 35.0)


def digest(arrivals_s):
    """Of whole microseconds: what libm may round differently is far below."""
    return hashlib.sha256(np.round(arrivals_s * 1e6).astype("<i8").tobytes()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("arrivals_s", "golden"),
    [
        (arrivals.poisson(100, 2.0, 12.0, seed=5), "1026c9e2dfb0efdb"),
        (arrivals.gamma(100, 3.0, 2.0, 12.0, seed=5), "e4d9f87ee6e01297"),
        (drawn(RAMP, 0.0, seed=5), "dbae4c4fa34ff34e"),
        (drawn(RAMP, 1.0, seed=5), "528ccb449636e6e3"),
        (drawn(RAMP, 0.5, seed=5, attempt=1), "13d9547f535ee981"),
    ],
    ids=["poisson", "gamma", "ramp constant", "ramp poisson", "ramp gamma"],
)
def test_a_seed_gives_the_same_schedule_on_every_machine(arrivals_s, golden):
    assert digest(arrivals_s) == golden


def test_a_seed_gives_the_same_picks_on_every_machine():
    assert arrivals.picks(12, 16, seed=5).tolist() == [4, 1, 13, 8, 7, 13, 4, 6, 4, 2, 5, 3]
    sizes = np.array([10, 900, 10, 40, 10, 300])
    assert arrivals.picks_by_size(sizes, np.array([70, 20, 50]), seed=5).tolist() == [1, 0, 2, 2, 1, 0]


@settings(max_examples=50, derandomize=True)
@given(intensities, cvs, seeds)
def test_arrivals_ascend_within_the_window_and_follow_from_the_seed(intensity, cv, seed):
    arrivals_s = drawn(intensity, cv, seed)
    assert (np.diff(arrivals_s) >= 0).all()
    assert ((arrivals_s >= intensity.start_s) & (arrivals_s < intensity.end_s)).all()
    assert drawn(intensity, cv, seed).tolist() == arrivals_s.tolist()


@settings(max_examples=30, derandomize=True)
@given(st.floats(0.1, 5), seeds)
def test_other_seeds_and_other_attempts_give_other_schedules(cv, seed):
    schedules = [drawn(RAMP, cv, seed), drawn(RAMP, cv, seed + 1), drawn(RAMP, cv, seed, attempt=1)]
    assert len({tuple(schedule) for schedule in schedules}) == 3


@settings(max_examples=40, derandomize=True)
@given(intensities, seeds)
def test_a_poisson_count_is_poisson_distributed(intensity, seed):
    """Counts of windows add up to a Poisson count, whose bounds are exact."""
    count = sum(len(drawn(intensity, 1.0, seed + n)) for n in range(20))
    low, high = stats.poisson.ppf([RARE / 2, 1 - RARE / 2], 20 * intensity.total)
    assert low <= count <= high


@pytest.mark.parametrize("cv", [0.3, 2.0, 4.0])
def test_the_mean_count_is_the_integral_of_the_rate_however_bursty(cv):
    """2000 windows, each too short for the law to settle: a renewal process not begun in equilibrium shows."""
    counts = np.array([len(arrivals.gamma(10, cv, 0.0, 1.0, seed)) for seed in range(2000)])
    error = counts.std(ddof=1) / len(counts) ** 0.5
    assert abs(counts.mean() - 10) < stats.norm.isf(RARE / 2) * error


@settings(max_examples=40, derandomize=True)
@given(intensities, seeds)
def test_the_places_of_poisson_arrivals_have_the_density_of_the_rate(intensity, seed):
    """Given their number they are independent, so that Kolmogorov-Smirnov is exact."""
    arrivals_s = drawn(intensity, 1.0, seed)
    if len(arrivals_s):
        found = stats.kstest(intensity.expected(arrivals_s) / intensity.total, "uniform")
        assert found.pvalue > RARE


@settings(max_examples=30, derandomize=True)
@given(st.floats(0.2, 3), seeds, st.floats(0, 80))
def test_gaps_have_the_coefficient_of_variation_and_the_law_that_was_asked_for(cv, seed, from_rps):
    intensity = Intensity(0.0, 100.0, from_rps, 40.0)
    gaps = np.diff(intensity.expected(drawn(intensity, cv, seed)))
    assert stats.kstest(gaps, "gamma", args=(cv**-2, 0, cv**2)).pvalue > RARE
    # The spread of a variance of gamma variables, from their fourth moment.
    error = cv**2 * np.sqrt((2 + 6 * cv**2) / len(gaps))
    assert abs(gaps.var() - cv**2) < 7 * error


@settings(max_examples=30, derandomize=True)
@given(intensities, st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_operational_time_and_its_inverse_undo_one_another(intensity, shares):
    expected = np.sort(shares) * intensity.total
    assert intensity.expected(intensity.when(expected)) == pytest.approx(expected, rel=1e-9, abs=1e-7)


def test_cv_1_is_poisson():
    assert arrivals.gamma(50, 1.0, 0.0, 10.0, seed=4).tolist() == arrivals.poisson(50, 0.0, 10.0, seed=4).tolist()


def test_constant_arrivals_have_equal_gaps_and_exclude_the_end():
    assert arrivals.constant(4, 1.0, 2.0).tolist() == [1.0, 1.25, 1.5, 1.75]


@pytest.mark.parametrize(("rate_rps", "span_s", "count"), [(10, 3.0, 30), (0.5, 3.0, 2), (3, 1.0, 3), (7, 0.1, 1)])
def test_constant_arrivals_are_as_many_as_fit(rate_rps, span_s, count):
    assert len(arrivals.constant(rate_rps, 0.0, span_s)) == count


def test_a_constant_ramp_has_one_arrival_for_each_that_is_expected():
    """From 0 to 2 requests/s in 4 s: t**2 / 4 are expected by t."""
    found = drawn(Intensity(10.0, 14.0, 0.0, 2.0), 0.0, seed=0)
    assert found.tolist() == pytest.approx([10.0, 12.0, 10 + 8**0.5, 10 + 12**0.5])
    down = drawn(Intensity(0.0, 4.0, 2.0, 0.0), 0.0, seed=0)
    assert down.tolist() == pytest.approx([0.0, 4 - 12**0.5, 4 - 8**0.5, 2.0])


@settings(max_examples=50, derandomize=True)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=50), st.floats(0.1, 10), st.floats(1, 200))
def test_a_replay_keeps_the_gaps_divided_by_the_speed(recorded, speed, span_s):
    recorded_s = np.sort(recorded) - min(recorded)
    found = arrivals.replayed(recorded_s, speed, 5.0, 5.0 + span_s)
    assert np.diff(found) == pytest.approx(np.diff(recorded_s)[: len(found) - 1] / speed, abs=1e-9)
    assert found[0] == 5.0
    assert found[-1] < 5.0 + span_s
    assert len(found) == (5.0 + recorded_s / speed < 5.0 + span_s).sum()


@settings(max_examples=50, derandomize=True)
@given(st.integers(1, 500), st.integers(1, 40), seeds)
def test_picks_are_uniform(count, of, seed):
    found = arrivals.picks(count, of, seed)
    assert len(found) == count
    assert set(found.tolist()) <= set(range(of))
    share = int((found == 0).sum())
    low, high = stats.binom.ppf([RARE / 2, 1 - RARE / 2], count, 1 / of)
    assert low <= share <= high


@settings(max_examples=50, derandomize=True)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.lists(st.integers(0, 9), min_size=1, max_size=9), seeds)
def test_longer_requests_of_a_trace_get_longer_exchanges_and_all_are_used_equally(sizes, offered, seed):
    found = arrivals.picks_by_size(np.array(sizes), np.array(offered), seed)
    lengths = np.array(offered)[found]
    longer = np.subtract.outer(sizes, sizes) > 0
    assert (np.subtract.outer(lengths, lengths)[longer] >= 0).all()
    used = np.bincount(found, minlength=len(offered))
    assert used.max() - used.min() <= 1


def test_among_requests_of_one_size_the_seed_decides():
    one, other = (arrivals.picks_by_size(np.full(40, 7), np.arange(8), seed).tolist() for seed in (1, 2))
    assert one != other
    assert sorted(one) == sorted(other)


def test_a_burst_is_due_at_one_moment_and_numbered():
    arrivals_s, groups = arrivals.bursts(size=3, every_s=0.5, count=2, start_s=10.0)
    assert arrivals_s.tolist() == [10.0, 10.0, 10.0, 10.5, 10.5, 10.5]
    assert groups.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    "call",
    [
        lambda: arrivals.poisson(0, 0, 1, 1),
        lambda: arrivals.poisson(-1, 0, 1, 1),
        lambda: arrivals.poisson(1, 1, 1, 1),
        lambda: arrivals.constant(float("inf"), 0, 1),
        lambda: arrivals.gamma(1, -0.5, 0, 1, 1),
        lambda: arrivals.gamma(1, float("nan"), 0, 1, 1),
        lambda: Intensity(0, 1, 0, 0),
        lambda: Intensity(0, 1, -1, 5),
        lambda: Intensity(0, float("inf"), 1, 5),
        lambda: arrivals.replayed(np.array([0.0, 1.0]), 0, 0, 1),
        lambda: arrivals.bursts(0, 1.0, 1, 0.0),
        lambda: arrivals.picks(3, 0, 1),
        lambda: arrivals.picks_by_size(np.array([1]), np.array([], dtype=np.int64), 1),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(call):
    with pytest.raises(InputError, match=r"expected .* found"):
        call()
