"""B2 on made-up crowds: batches or one by one, told by metrics or by the time."""

from dataclasses import replace

import pytest

from seatrial.trials.concurrency import AT_ONCE, ONE_BY_ONE
from seatrial.verdict import Outcome
from tests.helpers.batches import BATCHING, alone, batching, concurrent_load, loop_rows
from tests.helpers.observations import contract, judged, lost, row

PASS, FAIL, INCONCLUSIVE, SKIPPED = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.SKIPPED


def test_batches_pass():
    verdict = judged("B2", batching(), concurrent_load())
    assert (verdict.outcome, verdict.n) == (PASS, 2016)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (concurrent_load(loop=(1,) * 2016), "batches of 1.00"),
        (concurrent_load(loop=(8,) + (1,) * 2008), "batches of 1.00"),
        (concurrent_load(loop=(8,) * 252, runs=2016), "2016 model runs"),
        (concurrent_load(loop=(8,) * 252, runs=2016, lone=(8,) * 12), "2016 model runs"),
        (concurrent_load(loop=(1, 1, 2) * 504), "1512 model runs"),
    ],
    ids=["always 1", "first only", "metric faked", "metric faked for lone ones too", "hardly ever"],
)
def test_work_one_by_one_fails(seen, said):
    verdict = judged("B2", batching(), seen)
    assert verdict.outcome == FAIL
    assert said in verdict.found


@pytest.mark.parametrize(
    "seen",
    [
        concurrent_load(alone(loop_rows())),
        concurrent_load([]),
        concurrent_load(loop_rows(400)),
        concurrent_load([lost(one) for one in loop_rows()]),
        concurrent_load(lone=(2,) * 6),
        concurrent_load(lone=()),
        replace(concurrent_load(), scrapes=()),
    ],
    ids=[
        "one client",
        "none",
        "too short",
        "none right",
        "lone ones in twos",
        "not counted",
        "no scrape",
    ],
)
def test_without_its_preconditions_b2_says_nothing(seen):
    assert judged("B2", batching(), seen).outcome == INCONCLUSIVE


def test_counters_that_fell_say_nothing():
    seen = concurrent_load()
    restarted = replace(seen, scrapes=(seen.scrapes[0], seen.scrapes[3], *seen.scrapes[:1], seen.scrapes[2]))
    fallen = tuple(replace(one, at_s=at_s) for one, at_s in zip(restarted.scrapes, (1, 11, 41, 51), strict=True))
    assert judged("B2", batching(), replace(seen, scrapes=fallen)).outcome == INCONCLUSIVE


def timed_groups(share, groups=10):
    rows = []
    for n in range(groups):
        rows += [row(AT_ONCE, 60 + n, 8 * 0.02 * share, group=n) for _ in range(8)]
        rows += [row(f"{ONE_BY_ONE}-{n}", 60 + n + i * 0.05, 0.02) for i in range(8)]
    return rows


@pytest.mark.parametrize(
    ("share", "groups", "outcome"), [(0.5, 10, PASS), (0.59, 10, PASS), (0.7, 10, FAIL), (0.5, 9, INCONCLUSIVE)]
)
def test_without_metrics_the_time_tells(share, groups, outcome):
    unmeasured = contract(batching=BATCHING)
    assert judged("B2", unmeasured, concurrent_load(extra=timed_groups(share, groups))).outcome == outcome


def test_one_slow_group_of_ten_fails():
    rows = timed_groups(0.5)
    rows[0] = {**rows[0], "ended_s": rows[0]["sent_s"] + 0.15}
    assert judged("B2", contract(batching=BATCHING), concurrent_load(extra=rows)).outcome == FAIL


def test_a_largest_batch_of_one_is_no_batching():
    assert judged("B2", batching(max_size=1), concurrent_load()).outcome == SKIPPED
