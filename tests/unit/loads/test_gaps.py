"""Whether what was sent keeps its law: what a faithful generator sends does, what another sends does not."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seatrial.errors import InputError
from seatrial.loads.gaps import ALPHA, FEWEST_GAPS, gap_test, misplaced, p_value
from seatrial.traffic.arrivals import Intensity, drawn

STEADY = Intensity.steady(20.0, 100.0, 160.0)
RAMP = Intensity(100.0, 160.0, 5.0, 35.0)


def sent(intensity=STEADY, cv=1.0, seed=1, lags_ms=0.2, stalls=0.0):
    """What is drawn, sent by a generator whose starts are late by that much on average; and the lags.

    A share `stalls` of them is later by 50 to 250 ms.
    """
    due_s, draw = drawn(intensity, cv, seed), np.random.default_rng(seed)
    lags_s = draw.exponential(lags_ms / 1e3, len(due_s))
    lags_s += np.where(draw.uniform(size=len(due_s)) < stalls, draw.uniform(0.05, 0.25, len(due_s)), 0)
    sent_s = np.maximum.accumulate(due_s + lags_s)
    return sent_s, sent_s - due_s


def punctual(sent_s):
    return sent_s, np.zeros(len(sent_s))


def test_without_lag_it_is_the_ordinary_test_of_kolmogorov_and_smirnov():
    sent_s = drawn(STEADY, 1.0, seed=3)
    found = gap_test(*punctual(sent_s), STEADY, 1.0)
    ordinary = stats.kstest(np.diff(sent_s), "expon", args=(0, 1 / 20))
    assert found.gaps == len(sent_s) - 1
    assert found.statistic == pytest.approx(ordinary.statistic, abs=5e-5)  # a microsecond is always allowed
    assert found.p_value == pytest.approx(ordinary.pvalue, abs=5e-3)


@pytest.mark.parametrize("gaps", [10, 11, 20, 50, 200, 1_000, 10_000, 10_001, 1_000_000])
@pytest.mark.parametrize("probability", [0.99, 0.9, 0.5, 0.1, 0.01, ALPHA, ALPHA / 2])
def test_the_p_value_is_the_exact_one(gaps, probability):
    statistic = stats.kstwo.isf(probability, gaps)
    assert p_value(statistic, gaps) == pytest.approx(probability, rel=2e-3)


def test_to_draw_a_schedule_takes_none_of_scipys_statistics():
    """Their import takes longer than that of Locust."""
    draws = """
import sys, numpy as np
from seatrial.loads import locust_worker
from seatrial.loads.gaps import gap_test
from seatrial.traffic.arrivals import Intensity, drawn
steady = Intensity.steady(20.0, 0.0, 60.0)
due_s = drawn(steady, 0.5, seed=1)
print(gap_test(due_s, np.zeros(len(due_s)), steady, 0.5).accepted, "scipy.stats" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", draws], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


@pytest.mark.parametrize("intensity", [STEADY, RAMP], ids=["steady", "ramp"])
@pytest.mark.parametrize("cv", [0.3, 1.0, 3.0])
def test_a_healthy_run_is_refused_as_seldom_as_promised(intensity, cv):
    """Of 300 seeds, at 0.001 each; 5 or more have a probability of 2e-5."""
    refused = sum(not gap_test(*sent(intensity, cv, seed), intensity, cv).accepted for seed in range(300))
    assert refused < 5


@settings(max_examples=150, derandomize=True)
@given(
    st.sampled_from([STEADY, RAMP, Intensity.steady(2000.0, 0.0, 2.0), Intensity(0.0, 5.0, 0.0, 800.0)]),
    st.sampled_from([0.2, 1.0, 4.0]),
    st.integers(0, 10_000),
    st.floats(0, 50),
    st.sampled_from([0.0, 0.009, 0.2]),
)
def test_lag_never_makes_a_run_look_worse_than_its_schedule(intensity, cv, seed, lags_ms, stalls):
    """However late the starts, and at rates whose gaps are far shorter: that is judged by itself."""
    sent_s, lags_s = sent(intensity, cv, seed, lags_ms, stalls)
    scheduled = gap_test(*punctual(sent_s - lags_s), intensity, cv)
    found = gap_test(sent_s, lags_s, intensity, cv)
    assert (found is None) == (scheduled is None)
    if found is not None:
        assert found.statistic <= scheduled.statistic + 1e-6


@pytest.mark.parametrize(
    ("really", "cv"),
    [
        (sent(cv=0.5), 1.0),
        (sent(cv=2.0), 1.0),
        (sent(cv=1.0), 3.0),
        (sent(Intensity.steady(26.0, 100.0, 160.0)), 1.0),
        (sent(Intensity.steady(15.0, 100.0, 160.0)), 1.0),
        (sent(Intensity(100.0, 160.0, 0.0, 40.0)), 1.0),
        (punctual(np.arange(100.0, 160.0, 0.05)), 1.0),
        (punctual(np.repeat(drawn(Intensity.steady(10.0, 100.0, 160.0), 1.0, 1), 2)), 1.0),
        (punctual(np.floor(drawn(STEADY, 1.0, 1) * 10) / 10), 1.0),
    ],
    ids=["smoother", "burstier", "poisson for bursts", "faster", "slower", "ramp for steady", "metronome", "in pairs",
         "on a coarse clock"],
)  # fmt: skip
def test_another_law_is_refused(really, cv):
    found = gap_test(*really, STEADY, cv)
    assert not found.accepted
    assert found.p_value < 0.001 < found.statistic


def test_a_ramp_is_told_from_its_mirror_image():
    faithful = sent(RAMP)
    assert gap_test(*faithful, RAMP, 1.0).accepted
    assert not gap_test(*faithful, Intensity(100.0, 160.0, 35.0, 5.0), 1.0).accepted


def test_starts_that_stalled_are_not_held_against_a_schedule_that_is_as_good_as_can_be():
    """Gaps at the quantiles of their law: the least statistic there is, and ten starts two seconds late."""
    count = 1200
    gaps_s = stats.expon.ppf((np.arange(count) + 0.5) / count, scale=1 / 20)
    due_s = 100.0 + np.cumsum(np.random.default_rng(1).permutation(gaps_s))
    lags_s = np.where(np.arange(count) % 120 == 60, 2.0, 0.0)
    stalled = gap_test(due_s + lags_s, lags_s, Intensity.steady(20.0, 100.0, 170.0), 1.0)
    assert stalled.statistic <= gap_test(*punctual(due_s), Intensity.steady(20.0, 100.0, 170.0), 1.0).statistic


def test_small_lags_cost_little_sharpness():
    sent_s, lags_s = sent(cv=1.5, lags_ms=0.1)
    scheduled = gap_test(*punctual(sent_s - lags_s), STEADY, 1.0)
    found = gap_test(sent_s, lags_s, STEADY, 1.0)
    assert scheduled.statistic - 0.02 < found.statistic <= scheduled.statistic


def test_requests_due_at_one_moment_may_be_recorded_in_any_order():
    sent_s, lags_s = sent()
    order = np.random.default_rng(1).permutation(len(sent_s))
    found = gap_test(sent_s, lags_s, STEADY, 0.8)
    assert found.statistic > 0
    assert gap_test(sent_s[order], lags_s[order], STEADY, 0.8) == found


def test_a_few_starts_that_were_very_late_are_not_held_against_the_law():
    sent_s, lags_s = sent()
    sent_s[500:510] += 0.2
    lags_s[500:510] += 0.2
    found = gap_test(sent_s, lags_s, STEADY, 1.0)
    assert found.accepted
    assert found.lag_s < 0.01


def test_too_few_gaps_refute_nothing():
    few = 100.0 + np.arange(FEWEST_GAPS) * 0.05
    assert gap_test(*punctual(few), STEADY, 1.0) is None
    assert gap_test(*punctual(np.append(few, 101.0)), STEADY, 1.0) is not None


@pytest.mark.parametrize(
    ("cv", "lags_s"), [(0.0, [0.0] * 20), (-1.0, [0.0] * 20), (1.0, [0.0] * 19), (1.0, [0.0] * 19 + [np.nan])]
)
def test_what_cannot_be_tested_is_refused(cv, lags_s):
    with pytest.raises(InputError, match=r"expected a cv above 0 and a lag for each"):
        gap_test(np.arange(20.0), np.array(lags_s), STEADY, cv)


@pytest.mark.parametrize(
    ("due_s", "count"),
    [
        ([1.0, 2.0, 3.0], 0),
        ([1.0, 2.0000009, 3.0], 0),
        ([1.0, 2.0000011, 3.0], 1),
        ([1.0, 2.0], 1),
        ([1.0, 2.0, 3.0, 4.0], 1),
        ([], 3),
    ],
)
def test_a_place_is_kept_to_a_microsecond(due_s, count):
    assert misplaced(np.array(due_s, dtype=float), np.array([1.0, 2.0, 3.0])) == count
