"""L1, how many requests one replica works on at once: as many as declared, before refusals and after them."""

from dataclasses import replace

import pytest

from seatrial.trials.held_slots import EXTRA, HOLD, MORE, most_at_once, surely_at_once, surely_full
from seatrial.trials.overload import RECOVERY
from seatrial.verdict import Outcome
from tests.helpers.drains import request
from tests.helpers.observations import contract, judged
from tests.helpers.overloads import CONCURRENCY, HELD_S, broken, overload, refusal
from tests.helpers.slots import Replica

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
RATE = {"per_second": 10, "burst": 20, "reject": {"status": 503, "body": {"error": "busy"}}}


def promised(slots, **other):
    return contract(limits={"concurrency": {**CONCURRENCY, "limit": slots, "reject_within_s": 0.75}, **other})


def l1(replica, slots, **told):
    return judged("L1", promised(slots), overload(replica=replica(slots), slots=slots, **told))


HEALTHY = {
    "refuses at once": lambda slots: Replica(slots),
    "lets wait for half a second": lambda slots: Replica(slots, wait_s=0.5),
    "lets wait for as long as it takes": lambda slots: Replica(slots, wait_s=60.0, queue=2 * slots),
    "answers in 2 ms": lambda slots: Replica(slots, case_s=0.002),
    "takes longer than the long cases' second time": lambda slots: Replica(slots, case_s=3.0),
    "gives a slot back 0.3 s after the answer": lambda slots: Replica(slots, lag_s=0.3),
    "slows down with every request": lambda slots: Replica(slots, wait_s=0.5, slowed=0.3),
}


@pytest.mark.parametrize("slots", [1, 2, 4, 8, 64])
@pytest.mark.parametrize("replica", HEALTHY.values(), ids=HEALTHY)
def test_a_replica_that_takes_as_many_as_declared_passes(replica, slots):
    found = l1(replica, slots)
    assert found.outcome is PASS
    counted = {each.name: each for each in found.measurements if each.name.startswith("at once")}
    assert list(counted) == [f"at once, slots filled for the {which} time" for which in ("first", "second")]
    assert all(each.low <= slots <= each.high for each in counted.values())


def test_a_replica_is_counted_exactly_where_nobody_waits():
    seen = overload(replica=Replica(8), slots=8)
    for held in seen.held:
        assert surely_at_once(seen.ledger, "a", held) == 8
        assert most_at_once(seen.ledger, "a", held, promised(8).limits.rejects) == 8


@pytest.mark.parametrize(("slots", "more"), [(1, 2), (2, 3), (4, 5), (8, 9), (8, 16), (64, 65)])
@pytest.mark.parametrize("wait_s", [0.0, 0.5])
def test_a_slot_more_than_declared_fails(slots, more, wait_s):
    found = l1(lambda _: Replica(more, wait_s=wait_s), slots)
    assert found.outcome is FAIL
    assert f"{min(more, slots + MORE + 1)} that a worked on at the same time" in found.found
    assert found.decisive


def test_more_only_at_the_second_time_fails():
    """Whatever wakes it: the first time may have been its warm-up."""
    found = l1(lambda slots: Replica(lambda refused_s: slots + 1 if refused_s < 20 else slots, 0.0), 8)
    assert found.outcome is FAIL


def test_ordinary_requests_that_are_let_in_beside_the_held_slots_fail():
    """A gate for each path, or for each size: the long ones fill theirs."""

    def let_in(row):
        if row["load"] == EXTRA and HELD_S + 6 < row["sent_s"] < HELD_S + 6.1:
            answered_s = row["sent_s"] + 0.15
            return {**request(EXTRA, row["sent_s"]), "group": row["group"], "ended_s": answered_s}
        return row

    found = judged("L1", promised(4), overload(change=let_in))
    assert found.outcome is FAIL
    assert "5 that a worked on" in found.found


def test_an_answer_from_a_cache_takes_no_slot():
    def from_cache(row):
        answered = row["load"] == EXTRA and round(row["sent_s"] / 0.03) % 2
        return {**request(EXTRA, row["sent_s"], 0.003), "group": row["group"]} if answered else row

    seen = overload(change=from_cache)
    assert 50 < seen.ledger.of(EXTRA).right.sum() < 150
    assert judged("L1", promised(4), seen).outcome is PASS


SHRINKS = {
    "half of the slots closed after a refusal": lambda slots: Replica(
        lambda refused_s: min(slots, slots // 2 + int(refused_s // 15)) if refused_s < 3600 else slots, 0.5
    ),
    "one slot closed for a minute": lambda slots: Replica(lambda refused_s: slots - (refused_s < 60), 0.5),
    "a breaker that is open for half a minute": lambda slots: Replica(lambda refused_s: slots * (refused_s > 30)),
}


@pytest.mark.parametrize("slots", [2, 4, 8])
@pytest.mark.parametrize("replica", SHRINKS.values(), ids=SHRINKS)
def test_fewer_slots_after_refusals_fail(replica, slots):
    found = l1(replica, slots, times=3)
    assert found.outcome is FAIL
    assert "others had been refused" in found.found


@pytest.mark.parametrize(("slots", "lost"), [(1, 1), (4, 1), (8, 1), (8, 4), (8, 8)])
def test_slots_that_are_lost_with_requests_that_fail_or_are_given_up_fail(slots, lost):
    found = l1(lambda slots: Replica(slots), slots, times=3, lost_after=lost)
    assert found.outcome is FAIL
    assert f"at most {slots - lost} that a worked on" in found.found


def test_a_slot_that_is_missing_for_a_moment_is_looked_for_again():
    """What callers left behind may still be worked on; the third time decides, and none of the others."""
    seen = overload(replica=Replica(8), slots=8, times=3)
    started_s = min(row.sent_s for row in seen.ledger.in_group(1).of(HOLD))

    def busy(row):
        late = row["load"] == HOLD and row["group"] == 1 and row["sent_s"] >= started_s
        return refusal(row) if late and next(count) < 2 else row

    count = iter(range(10**9))
    again = overload(replica=Replica(8), slots=8, times=3, change=busy)
    assert judged("L1", promised(8), again).outcome is PASS
    count = iter(range(10**9))
    stopped = overload(replica=Replica(8), slots=8, times=2, change=busy)
    assert most_at_once(stopped.ledger, "a", stopped.held[1], promised(8).limits.rejects) < 8
    assert judged("L1", promised(8), stopped).outcome is INCONCLUSIVE


def test_what_was_open_when_the_slots_were_filled_has_its_slot():
    seen = overload(replica=Replica(8, taken=1), slots=8, times=3)
    assert judged("L1", promised(8), seen).outcome is FAIL
    open_still = request(RECOVERY, HELD_S - 1.0, 500.0, target="", pod="a")
    rows = iter([open_still])

    def one_more(row):
        return next(rows, row) if row["load"] == RECOVERY else row

    explained = overload(replica=Replica(8, taken=1), slots=8, times=3, change=one_more)
    assert judged("L1", promised(8), explained).outcome is PASS


def test_where_the_rate_refuses_alike_nobody_knows_which_limit_it_was():
    fewer = overload(replica=Replica(3), slots=4, times=3)
    assert judged("L1", promised(4), fewer).outcome is FAIL
    assert judged("L1", promised(4, rate=RATE), fewer).outcome is INCONCLUSIVE
    assert judged("L1", promised(4, rate=RATE), overload()).outcome is PASS
    limits = promised(4, rate=RATE).limits
    assert not len(surely_full(fewer.ledger, "a", fewer.held[2], limits.concurrency, limits))


def test_requests_without_an_answer_may_have_had_a_slot():
    def lost(row):
        return broken(row, "reset", 0.01) if row["load"] == HOLD and next(count) % 2 else row

    count = iter(range(10**9))
    assert judged("L1", promised(4), overload(change=lost)).outcome is PASS


@pytest.mark.parametrize(
    "told",
    [{"held": ()}, {"held": (), "held_pod": ""}],
    ids=["a record of before", "no long case, or no limit"],
)
def test_without_filled_slots_the_overload_alone_decides(told):
    found = judged("L1", promised(4), overload(**told))
    assert found.outcome is PASS
    assert not [each for each in found.measurements if each.name.startswith("at once")]


def test_long_cases_that_were_never_sent_show_nothing():
    seen = overload(change=lambda row: None if row["load"] in (HOLD, EXTRA) else row)
    assert judged("L1", promised(4), seen).outcome is INCONCLUSIVE


def test_long_cases_that_do_not_take_their_time_show_no_number_for_certain():
    seen = overload(replica=Replica(16), slots=8)
    assert judged("L1", promised(8), seen).outcome is FAIL
    longer = tuple(replace(held, work_s=10 * held.work_s) for held in seen.held)
    assert judged("L1", promised(8), replace(seen, held=longer)).outcome is PASS
