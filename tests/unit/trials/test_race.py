"""A sweep closes batches at every moment of their wait, and finds a batcher that miscounts at any of them."""

import random
from itertools import pairwise

import pytest

from seatrial.trials.race import IN_A_ROW, LEAST, LONGEST_S, closed_after_s, planned, widest_gap_s
from tests.helpers.observations import common, row

RUNS, SIZE, DELAY_S, FULL_S = 200, 8, 0.08, 0.08


def sizes_of(arrivals_s, blind_s=(0.0, 0.0), size=SIZE, delay_s=DELAY_S):
    """The batches that come of these arrivals; within blind_s of its opening a batch does not look how large it is."""
    sizes, opened_s, members = [], 0.0, 0
    for at_s in sorted(arrivals_s):
        if members and at_s >= opened_s + delay_s:
            sizes, members = [*sizes, members], 0
        if not members:
            opened_s = at_s
        members += 1
        if members >= size and not blind_s[0] <= at_s - opened_s < blind_s[1]:
            sizes, members = [*sizes, members], 0
    return [*sizes, members] if members else sizes


def late(arrivals_s, seed):
    """As they come to the batcher: up to a millisecond later, in any order of those sent together."""
    drawn = random.Random(seed)
    return [at_s + drawn.uniform(0, 0.001) for at_s in arrivals_s]


def blind(seed, for_s=0.004):
    """A part of the wait, anywhere in it."""
    begin_s = random.Random(-seed).uniform(0.002, DELAY_S - for_s - 0.002)
    return begin_s, begin_s + for_s


def test_a_batcher_that_counts_is_never_found_and_one_that_is_blind_for_a_moment_always():
    arrivals_s, _ = planned(DELAY_S, FULL_S).sent(SIZE)
    healthy = [max(sizes_of(late(arrivals_s, seed))) for seed in range(RUNS)]
    assert set(healthy) == {SIZE}
    found = [max(sizes_of(late(arrivals_s, seed), blind(seed))) > SIZE for seed in range(RUNS)]
    assert sum(found) == RUNS


def test_one_moment_for_all_races_would_find_few_of_them():
    """As it was: seven, and two more after 0.9 of the delay, 14 times."""
    arrivals_s = [n + at_s for n in range(14) for at_s in [0.0] * (SIZE - 1) + [0.9 * DELAY_S] * 2]
    found = [max(sizes_of(late(arrivals_s, seed), blind(seed))) > SIZE for seed in range(RUNS)]
    assert sum(found) < 0.2 * RUNS


def test_each_batch_of_a_row_is_closed_and_the_last_goes_when_its_time_is_up():
    sweep = planned(DELAY_S, FULL_S)
    arrivals_s, groups = sweep.sent(SIZE)
    assert sorted(sizes_of(arrivals_s)) == [SIZE - 1] * len(sweep.rows) + [SIZE] * sweep.races
    assert len(arrivals_s) == len(groups) == SIZE * sweep.races + (SIZE - 1) * len(sweep.rows)
    assert list(arrivals_s) == sorted(arrivals_s)


@pytest.mark.parametrize(
    ("delay_s", "full_s", "races"),
    [(0.08, 0.08, 80), (0.04, 0.02, 40), (0.005, 0.02, LEAST), (0.0, 0.02, LEAST), (0.5, 0.2, 25), (0.08, 0.3, 22)],
)
def test_it_goes_by_the_millisecond_as_far_as_there_is_time(delay_s, full_s, races):
    sweep = planned(delay_s, full_s)
    assert sweep.races == races
    moments_s = sorted(moment_s for each in sweep.rows for moment_s in each)
    assert all(later - earlier == pytest.approx(delay_s / races) for earlier, later in pairwise(moments_s))
    assert max(map(len, sweep.rows)) <= IN_A_ROW
    assert all(list(each) == sorted(each) for each in sweep.rows)


@pytest.mark.parametrize(("delay_s", "full_s"), [(0.08, 0.08), (0.08, 0.3), (0.2, 0.05), (0.02, 0.5)])
def test_it_takes_no_longer_than_it_may(delay_s, full_s):
    arrivals_s, _ = planned(delay_s, full_s).sent(SIZE)
    assert arrivals_s[-1] <= LONGEST_S


def test_batches_of_one_are_no_race():
    arrivals_s, groups = planned(DELAY_S, FULL_S).sent(1)
    assert max(sizes_of(arrivals_s, size=1)) == 1
    assert len(set(groups)) == len(arrivals_s)


def test_what_a_ledger_shows_of_it():
    sweep = planned(DELAY_S, FULL_S)
    sent = zip(*sweep.sent(SIZE), strict=True)
    ledger = common([row("sweep-8", at_s, group=group) for at_s, group in sent])["ledger"]
    moments_s = closed_after_s(ledger)
    assert len(moments_s) == sweep.races
    assert widest_gap_s(moments_s, DELAY_S) == pytest.approx(0.001)
    assert closed_after_s(ledger.select(ledger.group % 1000 != 1)) == pytest.approx(
        [moment_s for each in sweep.rows for moment_s in each[2:]]
    ), "the batch that the missing group was to open was not opened then"


@pytest.mark.parametrize(
    ("moments_s", "gap_s"), [((), 0.08), ((0.01,), 0.07), ((0.02, 0.05), 0.03), ((0.04, 0.09), 0.04)]
)
def test_the_longest_part_in_which_no_batch_was_closed(moments_s, gap_s):
    assert widest_gap_s(moments_s, DELAY_S) == pytest.approx(gap_s)
