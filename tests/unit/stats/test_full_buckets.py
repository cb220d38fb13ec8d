"""A bucket whose every request was seen owes each token that came: simulated as the rate-limit trial asks for them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.stats.buckets import judge_bucket
from seatrial.stats.full_buckets import worst_shortfall
from tests.helpers.rate_limits import bucket

RUNS, BURST = 200, 20
DEMAND, LENGTH_S = 3.6, 20.0


def asked(seed, rate_rps, burst=BURST, *, lone=12, answer_s=0.16, delay_s=0.002, **how):
    """(sent, first byte, admitted) from a pod's first request on, and how many of them came before the saturation.

    Lone requests one after the other, and a pause in which the bucket fills; then more than the burst at once, and
    Poisson arrivals. Admitted requests take answer_s, and delay_s at most lies between the network's ends.
    """
    random = np.random.default_rng(seed)
    begin_s = random.uniform(0, 10)
    alone_s = begin_s + (answer_s + 0.05) * np.arange(lone)
    start_s = begin_s + (answer_s + 0.05) * lone + (burst / rate_rps + 1 if lone else 0)
    crowd_s = start_s + 0.002 * np.arange(int(burst) + 5)
    later_s = crowd_s[-1] + np.cumsum(random.exponential(1 / (DEMAND * rate_rps), int(DEMAND * rate_rps * LENGTH_S)))
    sent_s = np.concatenate([alone_s, crowd_s, later_s])
    come_s = sent_s + random.uniform(0, delay_s, len(sent_s))
    in_turn = np.argsort(come_s)
    admitted = np.zeros(len(sent_s), dtype=bool)
    admitted[in_turn] = bucket(how.pop("holds", burst), **how)(come_s[in_turn].tolist(), rate_rps)
    return sent_s, come_s + random.uniform(0, delay_s, len(sent_s)) + answer_s * admitted, admitted, lone


def fails(seen, rate_rps, burst=BURST):
    """Whether the check would fail one setting."""
    sent_s, first_byte_s, admitted, before = seen
    saturated = slice(before, None)
    return (
        judge_bucket(sent_s[saturated], first_byte_s[saturated], admitted[saturated], rate_rps, burst).decision
        == "fail"
        or worst_shortfall(sent_s, first_byte_s, admitted, rate_rps, burst)[0] > 0
    )


@pytest.mark.parametrize(
    "how",
    [{"factor": 0.95}, {"factor": 0.9}, {"factor": 1.05}, {"tokens": 0.0}, {"step_s": 1.0}],
    ids=["5 % too slow", "10 % too slow", "5 % too fast", "empty at first", "refilled each second"],
)
def test_a_bucket_unlike_the_configured_one_is_found_in_nearly_every_run(how):
    """At 10/s, the setting that shows less of the two, and with answers of 0.16 s; all 200 runs found it."""
    found = sum(fails(asked(seed, 10, **how), 10) for seed in range(RUNS))
    assert found >= 0.99 * RUNS


@pytest.mark.parametrize(("rate_rps", "lone", "delay_s"), [(10, 12, 0.002), (20, 0, 0.05)])
def test_a_bucket_as_configured_passes_in_every_run(rate_rps, lone, delay_s):
    assert not any(fails(asked(seed, rate_rps, lone=lone, delay_s=delay_s), rate_rps) for seed in range(RUNS))


@pytest.mark.parametrize("step_s", [0.05, 0.1])
def test_a_clock_that_strikes_ten_times_a_second_is_borne(step_s):
    assert not any(fails(asked(seed, 10, step_s=step_s), 10) for seed in range(20))


@settings(max_examples=100)
@given(
    rate_rps=st.floats(2, 80),
    burst=st.integers(1, 100),
    delay_s=st.floats(0, 0.1),
    answer_s=st.floats(0, 2),
    seed=st.integers(0, 10**6),
)
def test_a_bucket_as_configured_never_owes_anything(rate_rps, burst, delay_s, answer_s, seed):
    """However late answers come, and refusals."""
    *seen, _ = asked(seed, rate_rps, burst, delay_s=delay_s, answer_s=answer_s)
    assert worst_shortfall(*seen, rate_rps, burst)[0] <= 0


@pytest.mark.parametrize("answer_s", [0.16, 2.0])
def test_how_long_answers_take_hides_no_token(answer_s):
    """All were admitted sooner or later, and after the first refusal the bucket is not full again."""
    *seen, _ = asked(1, 10, answer_s=answer_s, factor=0.95)
    beyond, refusal = worst_shortfall(*seen, 10, BURST)
    assert beyond > 4
    assert refusal.due - refusal.admitted > 8


@pytest.mark.parametrize(("missing", "owes"), [(1, False), (4, True)])
def test_a_bucket_that_holds_too_little_owes_the_rest(missing, owes):
    """One token is borne, and what comes in 50 ms."""
    *seen, _ = asked(1, 10, lone=0, holds=BURST - missing)
    assert (worst_shortfall(*seen, 10, BURST)[0] > 0) is owes


def test_the_first_request_of_all_finds_the_bucket_full():
    sent_s = np.array([5.0, 6.0])
    beyond, refusal = worst_shortfall(sent_s, sent_s + 0.01, np.array([False, True]), 10, BURST)
    assert beyond == pytest.approx(BURST - 2 - 0.5)
    assert (refusal.at_s, refusal.full_s, refusal.admitted, refusal.due) == (5.0, 5.0, 0, BURST)


def test_a_bucket_that_may_be_full_again_owes_no_more_than_it_holds():
    """A second of silence, ten times as long as the bucket of 2 takes to fill: what dripped in meanwhile is lost."""
    sent_s = np.array([0.0, 0.001, 0.002, 1.0, 1.001, 1.002])
    admitted = np.array([True, True, False, True, True, False])
    assert worst_shortfall(sent_s, sent_s + 0.0005, admitted, 10, 2)[0] < 0


def test_without_refusals_nothing_is_owed():
    sent_s = np.array([0.0, 1.0])
    assert worst_shortfall(sent_s, sent_s, np.array([True, True]), 10, BURST) == (-np.inf, None)
