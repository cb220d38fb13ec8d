"""B2 on made-up crowds: batches or one by one, told by metrics or by the time."""

from dataclasses import replace

import pytest

from seatrial.trials.concurrency import AT_ONCE, ONE_BY_ONE, _shorter
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
    ("share", "groups", "outcome"),
    [(0.5, 10, PASS), (0.59, 10, PASS), (0.7, 10, FAIL), (0.5, 9, INCONCLUSIVE), (0.7, 9, FAIL)],
)
def test_without_metrics_the_time_tells(share, groups, outcome):
    unmeasured = contract(batching=BATCHING)
    assert judged("B2", unmeasured, concurrent_load(extra=timed_groups(share, groups))).outcome == outcome


def test_one_slow_group_of_ten_is_no_pass_and_the_machine_may_have_held_it_up():
    rows = timed_groups(0.5)
    rows[0] = {**rows[0], "ended_s": rows[0]["sent_s"] + 0.15}
    assert judged("B2", contract(batching=BATCHING), concurrent_load(extra=rows)).outcome == INCONCLUSIVE


def test_a_largest_batch_of_one_is_no_batching():
    assert judged("B2", batching(max_size=1), concurrent_load()).outcome == SKIPPED


# a model that is short beside the delay


def groups_of(lone_s, group_s, *, delay_s, groups=10, together=8):
    """Groups at once that took so long, and members that took so long one by one."""
    rows = []
    for n in range(groups):
        rows += [row(AT_ONCE, 60 + n, group_s, group=n) for _ in range(together)]
        rows += [row(f"{ONE_BY_ONE}-{n}", 60 + n + i * 0.5, lone_s) for i in range(together)]
    return replace(concurrent_load(extra=rows), delay_s=delay_s, together=together)


@pytest.mark.parametrize(
    ("lone_s", "group_s", "delay_s", "outcome"),
    [
        (0.1, 0.224, 0.08, INCONCLUSIVE),
        (0.1, 0.028, 0.08, PASS),
        (0.02, 0.16, 0.08, INCONCLUSIVE),
        (0.025, 0.165, 0.005, FAIL),
        (0.025, 0.16, 0.005, FAIL),
        (0.02, 0.16, 0.005, FAIL),
        (0.025, 0.028, 0.005, PASS),
        (0.025, 0.033, 0.005, PASS),
        (0.02, 0.045, 0.005, PASS),
        (0.15, 0.155, 0.005, PASS),
        (0.15, 1.2, 0.02, FAIL),
    ],
    ids=[
        "one by one after 80 ms: 28 % of the time",
        "a full batch where lone ones waited 80 ms",
        "nobody waits, the declared delay is long",
        "one by one after 5 ms",
        "one by one, the full group did not wait",
        "one by one, nobody waits",
        "a full batch",
        "a batch that waits",
        "an idle engine takes the first at once",
        "a long model",
        "a long model, one by one",
    ],
)
def test_a_wait_for_company_is_no_work(lone_s, group_s, delay_s, outcome):
    seen = groups_of(lone_s, group_s, delay_s=delay_s)
    assert judged("B2", contract(batching=BATCHING), seen).outcome == outcome


def test_a_shorter_delay_that_no_rollout_brings_to_the_pod_is_told_as_that():
    seen = replace(groups_of(0.1, 0.224, delay_s=0.08), unreached="batch.wait")
    verdict = judged("B2", contract(batching=BATCHING), seen)
    assert verdict.outcome == INCONCLUSIVE
    assert "the pods are those from before the change of batch.wait" in verdict.found
    assert "checksum" in verdict.do


@pytest.mark.parametrize(
    ("delay", "lone_s", "set_ms"),
    [
        ({"value": "batch.wait", "set": 80}, 0.1, 5),
        ({"value": "batch.wait", "set": 80}, 0.02, 5),
        ({"value": "batch.wait", "set": 80}, 0.6, None),
        ({"value": "batch.wait", "set": 5}, 0.01, None),
        (80, 0.1, None),
    ],
    ids=["short work", "nobody waits", "long work", "short already", "nothing governs it"],
)
def test_the_delay_is_made_short_where_it_would_hide_the_work(delay, lone_s, set_ms):
    promise = contract(batching={**BATCHING, "max_delay_ms": delay}).batching
    shorter = _shorter(promise, lone_s)
    assert (shorter and shorter.set) == set_ms


def test_a_limit_that_lets_in_fewer_than_fill_a_batch_lets_them_share_it_all_the_same():
    pairs = [{**one, "ended_s": one["sent_s"] + 0.0095} for one in loop_rows()]
    seen = replace(concurrent_load(pairs, loop=(2,) * 1008, clients=2), slots=2)
    assert judged("B2", batching(), seen).outcome == PASS
    assert judged("B2", batching(), replace(seen, slots=None)).outcome == INCONCLUSIVE
    assert judged("B2", batching(), replace(seen, slots=1)).outcome == INCONCLUSIVE, "one has no company"
    alone_each = replace(concurrent_load(pairs, loop=(1,) * 2016, clients=2), slots=2)
    assert judged("B2", batching(), alone_each).outcome == INCONCLUSIVE, "two may miss each other"
