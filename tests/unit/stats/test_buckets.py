"""A limiter is judged from outside, and only accused of what no admission time could explain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import InputError
from seatrial.stats.buckets import ideal_admissions, judge_bucket, proven_empty, worst_excess

NO_ONE = np.array([])


def traffic(rate_rps, burst, *, demand_rps=None, length_s=20.0, delay_s=0.002, answer_s=0.0, seed=1):
    """Poisson demand on a real bucket that starts full: (sent, first byte, admitted); admitted rows take answer_s."""
    rng = np.random.default_rng(seed)
    demand_rps = demand_rps or 3 * rate_rps
    sent = np.cumsum(rng.exponential(1 / demand_rps, int(demand_rps * length_s)))
    seen = sent + rng.uniform(0, delay_s, len(sent))
    first_byte = seen + rng.uniform(0, delay_s, len(sent))
    admitted = np.zeros(len(sent), dtype=bool)
    tokens, before = burst, 0.0
    for row in np.argsort(seen):
        tokens, before = min(burst, tokens + rate_rps * (seen[row] - before)), seen[row]
        if tokens >= 1:
            tokens -= 1
            admitted[row] = True
    return sent, first_byte + answer_s * admitted, admitted


@pytest.mark.parametrize(("rate_rps", "burst"), [(5, 1), (10, 1), (10, 20), (50, 5), (50, 200), (200, 1)])
@pytest.mark.parametrize("seed", range(5))
def test_a_bucket_as_configured_passes(rate_rps, burst, seed):
    assert judge_bucket(*traffic(rate_rps, burst, seed=seed), rate_rps, burst).decision == "pass"


@settings(max_examples=60)
@given(
    rate_rps=st.floats(5, 80),
    burst=st.integers(1, 100),
    delay_s=st.floats(0, 0.02),
    answer_s=st.floats(0, 2),
    seed=st.integers(0, 10**6),
)
def test_a_bucket_as_configured_never_fails(rate_rps, burst, delay_s, answer_s, seed):
    """However late the admitted are answered."""
    rows = traffic(rate_rps, burst, delay_s=delay_s, answer_s=answer_s, seed=seed)
    assert judge_bucket(*rows, rate_rps, burst).decision != "fail"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("factor", [0.9, 1.1, 2.0])
def test_a_rate_that_is_off_fails(factor, seed):
    rows = traffic(50 * factor, 20, demand_rps=200, seed=seed)
    assert judge_bucket(*rows, 50, 20).decision == "fail"


@pytest.mark.parametrize("factor", [0.8, 2.0])
def test_a_rate_that_is_off_fails_although_answers_take_their_time(factor):
    rows = traffic(50 * factor, 20, demand_rps=200, answer_s=0.15)
    assert judge_bucket(*rows, 50, 20).decision == "fail"


def test_a_burst_that_is_ignored_fails():
    """Configured 5, yet 20 go through at once."""
    judgement = judge_bucket(*traffic(10, 20), 10, 5)
    assert judgement.decision == "fail"
    assert judgement.excess is not None
    assert judgement.excess.admitted > judgement.excess.allowed


def test_a_minute_of_tokens_at_once_fails():
    """600 at the start and then nothing for 20 s."""
    sent = np.arange(0, 20, 0.02)
    admitted = np.arange(1000) < 600
    assert judge_bucket(sent, sent + 0.001, admitted, 10, 10).decision == "fail"


def test_a_full_bucket_says_nothing_about_its_rate():
    """Too little demand to empty it: the upper bound holds, the lower one cannot be seen."""
    rows = traffic(50, 20, demand_rps=20)
    judgement = judge_bucket(*rows, 50, 20)
    assert (judgement.decision, judgement.steady) == ("between", None)


@pytest.mark.parametrize(("extra", "violated"), [(0, False), (1, True)])
def test_the_bound_itself_is_still_allowed(extra, violated):
    """burst + 1 at one instant, and one more."""
    at = np.zeros(6 + extra)
    excess, window = worst_excess(at, at, 10, 6)
    assert (excess > 0) == violated
    assert window is not None
    assert window.admitted == 6 + extra


def test_slow_answers_leave_room_for_doubt():
    """20 at once is too many; 20 whose answers took 2 s may have been admitted one after the other."""
    sent = np.zeros(20)
    assert worst_excess(sent, sent + 0.001, 10, 6)[0] > 0
    assert worst_excess(sent, sent + 2.0, 10, 6)[0] <= 0


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 2)), min_size=1, max_size=25),
    st.floats(0.5, 10),
    st.integers(1, 5),
)
def test_the_sweep_finds_what_trying_every_window_finds(spans, rate_rps, constant):
    sent = np.array([start for start, _ in spans])
    first = np.array([start + took for start, took in spans])
    tried = max(
        np.sum((sent >= s) & (first <= t)) - constant - rate_rps * (t - s)
        for s in sent
        for t in first
        if t >= s and np.any((sent >= s) & (first <= t))
    )
    assert worst_excess(sent, first, rate_rps, constant)[0] == pytest.approx(tried, abs=1e-6)


def test_without_admissions_nothing_exceeds():
    assert worst_excess(NO_ONE, NO_ONE, 10, 6) == (-np.inf, None)


def test_three_rejections_in_a_row_prove_the_bucket_empty():
    sent = np.arange(7.0)
    admitted = np.array([True, False, False, True, False, False, False])
    assert proven_empty(sent, admitted).tolist() == [6]
    assert proven_empty(sent[:6], admitted[:6]).tolist() == []
    assert proven_empty(sent[3:5], admitted[3:5]).tolist() == []
    in_another_order = np.array([6, 5, 4, 3, 2, 1, 0])
    assert proven_empty(sent[in_another_order], admitted[in_another_order]).tolist() == [0]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("factor", [0.9, 0.95])
def test_requests_that_are_open_when_the_bucket_is_first_empty_hide_no_slow_rate(factor, seed):
    """Of the burst of 20 all are; some time later one or two."""
    sent, first_byte, admitted = traffic(10 * factor, 20, demand_rps=36, answer_s=0.16, seed=seed)
    assert judge_bucket(sent, first_byte, admitted, 10, 20).decision == "fail"


def test_an_ideal_bucket_of_one_loses_what_drips_in_while_no_one_waits():
    """Empty at 0 with 10/s: one at 0.1, not at 0.15, one at 1.0, and none saved up for 1.05."""
    assert ideal_admissions(np.array([0.1, 0.15, 1.0, 1.05]), 0.0, 10, 1).tolist() == [True, False, True, False]


def test_a_first_byte_before_its_send_is_refused():
    with pytest.raises(InputError, match="before its send"):
        judge_bucket(np.array([1.0]), np.array([0.9]), np.array([True]), 10, 1)
