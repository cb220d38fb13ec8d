"""What dependent requests are worth: nothing is lost on independent ones, and a queue's are told from them."""

import math

import numpy as np
import pytest

from benchmarks.queues import longest_s, sojourns_s
from seatrial.errors import InputError
from seatrial.stats import proportions
from seatrial.stats.dependence import dependence, judge_share, requests_to_decide, share_bounds

SEED = 20261130


def judged(latency_s, limit_s, allowed):
    late = latency_s > limit_s
    bounds = share_bounds(int(late.sum()), dependence(latency_s, late))
    return "missed" if bounds.low > allowed else "held" if bounds.high <= allowed else "undecided"


@pytest.mark.parametrize("n", [100, 1000, 10_000])
@pytest.mark.parametrize("share", [0.002, 0.05, 0.5, 0.99])
def test_independent_requests_are_worth_as_many_as_they_are(n, share):
    """But for one run in some twenty, which are worth a little less."""
    random, worth = np.random.default_rng(SEED), []
    for _ in range(40):
        latency_s = random.exponential(size=n)
        worth.append(dependence(latency_s, latency_s > -math.log(share)).effective_n / n)
    assert np.quantile(worth, 0.15) == 1.0
    assert min(worth) > 0.25


def test_requests_that_share_their_fate_count_once_for_all_of_them():
    latency_s = np.repeat(np.random.default_rng(SEED).exponential(size=500), 20)
    found = dependence(latency_s, latency_s > 1.0)
    assert found.inflation == pytest.approx(20, rel=0.25)
    assert 350 < found.effective_n < 650
    assert 16 <= found.reach <= 60
    assert not found.independent


def test_of_a_long_run_batches_of_neighbours_are_taken():
    latency_s = np.repeat(np.random.default_rng(SEED).exponential(size=4_000), 50)
    assert dependence(latency_s, latency_s > 1.0).inflation == pytest.approx(50, rel=0.2)


def test_a_run_without_one_late_request_shows_its_dependence_all_the_same():
    """The slow ones come in crowds: so would late ones."""
    latency_s = np.repeat(np.random.default_rng(SEED).uniform(size=60), 50)
    never = np.zeros(3000, dtype=bool)
    found = dependence(latency_s, never)
    assert found.effective_n < 100
    assert share_bounds(0, found).high > 0.02 > proportions.upper_bound(0, 3000)


def test_what_has_no_order_of_its_own_shows_none():
    """All alike, or failed without a time."""
    for values in (np.full(1000, 0.1), np.full(1000, np.inf)):
        for event in (np.zeros(1000, dtype=bool), np.ones(1000, dtype=bool)):
            assert dependence(values, event).independent


def test_independent_bounds_are_the_exact_ones():
    latency_s = np.random.default_rng(SEED).permutation(1000).astype(float)
    found = dependence(latency_s, latency_s >= 980)
    assert found.independent
    bounds = share_bounds(20, found)
    assert (bounds.low, bounds.high) == (proportions.lower_bound(20, 1000), proportions.upper_bound(20, 1000))


def test_a_service_that_is_overrun_misses_whatever_hangs_together():
    """Latencies rise through the whole stage, so that each tells of the next; all of them are late."""
    latency_s = 1.0 + np.arange(3000) / 100
    for allowed in (0.01, 0.05, 0.1, 0.4):
        assert judged(latency_s, 0.5, allowed) == "missed"


@pytest.mark.parametrize(("values", "event"), [([], []), ([1.0], [True, False]), ([math.nan], [False])])
def test_what_is_no_run_is_refused(values, event):
    with pytest.raises(InputError, match="expected a value without NaN and an event for each"):
        dependence(np.array(values), np.array(event, dtype=bool))


@pytest.mark.parametrize(
    ("share", "allowed", "fewest"), [(0.0, 0.01, 299), (0.0, 0.05, 59), (1.0, 0.06, 2), (0.01, 0.01, None)]
)
def test_how_many_it_takes_if_the_share_stays(share, allowed, fewest):
    found = dependence(np.arange(100.0) % 7, np.arange(100) % 7 > 9)
    assert requests_to_decide(share, allowed, found) == fewest


def test_so_many_requests_as_it_takes_decide_it():
    latency_s = np.repeat(np.random.default_rng(SEED).exponential(size=300), 10)
    late = latency_s > -math.log(0.005)
    found = dependence(latency_s, late)
    fewest = requests_to_decide(float(late.mean()), 0.01, found)
    longer = dependence(np.tile(latency_s, -(-fewest // 3000)), np.tile(late, -(-fewest // 3000)))
    assert share_bounds(int(late.sum()), found).high > 0.01
    assert share_bounds(int(late.sum() * -(-fewest // 3000)), longer).high <= 0.011


@pytest.mark.parametrize("allowed", [0.05, 0.01])
@pytest.mark.parametrize(("of_the_most", "wrong"), [(0.95, "missed"), (1.05, "held")])
def test_a_queue_near_saturation_is_decided_rightly_or_not_at_all(allowed, of_the_most, wrong):
    """M/M/4 at 0.95 and 1.05 of the rate at which just the allowed share is late: 40 runs of 3,000 requests each.

    Bounds for independent requests call a quarter of them wrong. benchmarks/saturation.py has the whole of it.
    """
    limit_s = longest_s(allowed, 33.0)
    runs = sojourns_s(of_the_most * 33.0, 40, 3000, np.random.default_rng(SEED))
    outcomes = [judged(latency_s, limit_s, allowed) for latency_s in runs]
    assert outcomes.count(wrong) <= 3


@pytest.mark.parametrize(
    ("crowds", "of", "decision"),
    [(30, 1, "pass"), (2, 15, "between"), (150, 1, "fail"), (10, 15, "fail"), (60, 1, "between")],
)
def test_a_share_in_crowds_passes_less_and_fails_alike(crowds, of, decision):
    """Of 1,000, with a bound of 6 %."""
    event = np.zeros(1000, dtype=bool)
    for start in np.linspace(0, 1000 - of, crowds).astype(int):
        event[start : start + of] = True
    assert judge_share(event, 0.06) == decision
