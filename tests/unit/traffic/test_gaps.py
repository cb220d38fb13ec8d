"""Whether what was sent keeps its law: what a faithful generator sends does, what another sends does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seatrial.errors import InputError
from seatrial.traffic.arrivals import Intensity, drawn
from seatrial.traffic.gaps import FEWEST_GAPS, gap_test, misplaced

STEADY = Intensity.steady(20.0, 100.0, 160.0)
RAMP = Intensity(100.0, 160.0, 5.0, 35.0)


def sent(intensity=STEADY, cv=1.0, seed=1, lags_ms=0.2):
    """What is drawn, sent by a generator whose starts are late by that much on average; and the lags."""
    due_s = drawn(intensity, cv, seed)
    lags_s = np.random.default_rng(seed).exponential(lags_ms / 1e3, len(due_s))
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


@pytest.mark.parametrize("intensity", [STEADY, RAMP], ids=["steady", "ramp"])
@pytest.mark.parametrize("cv", [0.3, 1.0, 3.0])
def test_a_healthy_run_is_refused_as_seldom_as_promised(intensity, cv):
    """Of 300 seeds, at 0.001 each; 5 or more have a probability of 2e-5."""
    refused = sum(not gap_test(*sent(intensity, cv, seed), intensity, cv).accepted for seed in range(300))
    assert refused < 5


@settings(max_examples=60, derandomize=True)
@given(
    st.sampled_from([STEADY, RAMP, Intensity.steady(2000.0, 0.0, 2.0), Intensity(0.0, 5.0, 0.0, 800.0)]),
    st.sampled_from([0.2, 1.0, 4.0]),
    st.integers(0, 10_000),
    st.floats(0, 50),
)
def test_lag_never_makes_a_run_look_worse_than_its_schedule(intensity, cv, seed, lags_ms):
    """However late the starts, and at rates whose gaps are far shorter: that is judged by itself."""
    sent_s, lags_s = sent(intensity, cv, seed, lags_ms)
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


@pytest.mark.parametrize(("cv", "lags"), [(0.0, 20), (-1.0, 20), (1.0, 19)])
def test_what_cannot_be_tested_is_refused(cv, lags):
    with pytest.raises(InputError, match=r"expected a cv above 0 and a lag for each"):
        gap_test(np.arange(20.0), np.zeros(lags), STEADY, cv)


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
