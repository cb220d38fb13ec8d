"""P5, L1, L6 and L8: what an overload may do to a service, and what it may not."""

from dataclasses import replace

import numpy as np
import pytest

from seatrial.observation import Change
from seatrial.trials.overload import CLOSED, OVER, RECOVERY
from seatrial.verdict import Outcome
from tests.helpers.drains import pod
from tests.helpers.observations import contract, judged
from tests.helpers.overloads import BASELINE_S, CONCURRENCY, OVER_S, broken, late, overload, refusal

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CONTRACT = contract(limits={"concurrency": CONCURRENCY})
ALL = ["P5", "L1", "L6", "L8"]


def outcome(id, seen, promises=CONTRACT):
    return judged(id, promises, seen).outcome


def in_load(load, becomes, every=1):
    """Change each `every`-th row of a load."""
    count = iter(range(10**9))

    def change(row):
        return becomes(row) if row["load"] == load and next(count) % every == every - 1 else row

    return change


def refusals(becomes, every=1):
    count = iter(range(10**9))

    def change(row):
        hit = row["load"] == OVER and row["status"] == 503 and next(count) % every == every - 1
        return becomes(row) if hit else row

    return change


def admitted(becomes, every=1):
    count = iter(range(10**9))

    def change(row):
        hit = row["load"] == OVER and row["correct"] == 1 and next(count) % every == every - 1
        return becomes(row) if hit else row

    return change


def slow_machine(row):
    """Everything of the overload, the beacon too, takes ten times as long."""
    if row["load"] in (OVER, "beacon") and OVER_S[0] <= row["sent_s"] < OVER_S[1]:
        return late(row, 10 * (row["ended_s"] - row["sent_s"]) + 0.3)
    return row


@pytest.mark.parametrize("id", ALL)
def test_a_service_that_answers_what_it_can_and_refuses_the_rest_passes(id):
    found = judged(id, CONTRACT, overload())
    assert found.outcome is PASS
    assert found.n >= 250
    assert found.detects


@pytest.mark.parametrize("id", ALL)
@pytest.mark.parametrize(
    "seen",
    [
        overload(change=lambda row: None),
        overload(offered=0.1),
        overload(offered=1.85),
        overload(capacity_rps=0.0),
        overload(overload_s=(50.0, 50.0)),
    ],
    ids=["empty", "a twentieth of the load", "just too little", "no capacity found", "no time"],
)
def test_without_an_overload_nothing_is_judged(id, seen):
    assert outcome(id, seen) is INCONCLUSIVE


@pytest.mark.parametrize("id", ["P5", "L1", "L8"])
def test_a_load_that_is_all_answered_in_time_was_no_overload(id):
    answered = refusals(lambda row: {**row, "status": 200, "correct": 1})
    assert outcome(id, overload(change=answered)) is INCONCLUSIVE


# L1


@pytest.mark.parametrize(
    ("change", "loads"),
    [
        (refusals(lambda row: broken(row, "reset", 0.01)), "reset"),
        (refusals(lambda row: refusal(row, status=500)), ""),
        (refusals(lambda row: refusal(row, status=500), every=50), ""),
        (refusals(lambda row: refusal(row, status=200, body='{"error": "busy"}')), ""),
        (refusals(lambda row: refusal(row, body="<html>busy</html>")), ""),
        (refusals(lambda row: {**row, "error": "eof"}), "eof"),
        (refusals(lambda row: broken(row)), "timeout"),
        (refusals(lambda row: broken(row, "refused", 0.001), every=700), "refused"),
        (admitted(lambda row: {**row, "correct": 0}, every=500), ""),
    ],
    ids=[
        "reject-resets", "reject-500", "reject-500-1-in-50", "reject-200-error-body", "another body",
        "a cut refusal", "queue-unbounded: no answer at all", "a single refused connection", "a wrong answer",
    ],
)  # fmt: skip
def test_anything_but_a_right_answer_or_the_declared_refusal_fails(change, loads):
    seen = overload(change=change)
    found = judged("L1", CONTRACT, seen)
    assert found.outcome is FAIL
    rows = [row for row in seen.ledger if row.row in found.rows]
    assert rows
    assert {row.error for row in rows} == {loads}


@pytest.mark.parametrize(
    "change",
    [refusals(lambda row: late(row, 10.0)), admitted(lambda row: late(row, 5.0), every=2)],
    ids=["reject-after-queue-wait", "queue-unbounded"],
)
def test_slow_refusals_and_late_answers_fail(change):
    found = judged("L1", CONTRACT, overload(change=change))
    assert found.outcome is FAIL
    assert found.rows


@pytest.mark.parametrize(("slow_ms", "expected"), [(249, PASS), (251, FAIL)])
def test_refusals_have_a_quarter_of_a_second(slow_ms, expected):
    assert outcome("L1", overload(change=refusals(lambda row: late(row, slow_ms / 1000)))) is expected


@pytest.mark.parametrize(("every", "expected"), [(100, PASS), (21, INCONCLUSIVE), (8, FAIL)])
def test_a_few_slow_refusals_are_borne(every, expected):
    assert outcome("L1", overload(change=refusals(lambda row: late(row, 0.4), every=every))) is expected


@pytest.mark.parametrize(
    ("share", "crowd", "expected"),
    [(0.03, 1, PASS), (0.03, 14, INCONCLUSIVE), (0.01, 4, PASS), (0.15, 1, FAIL), (0.15, 14, FAIL)],
    ids=["scattered", "in two crowds", "a few together", "too many", "too many, in crowds"],
)
def test_slow_refusals_that_come_in_crowds_show_less(share, crowd, expected):
    """As many, but each crowd is one event: 3 % of them may as well be 6 % the next time."""
    seen = iter(range(10**9))
    in_crowds = refusals(lambda row: late(row, 0.4) if next(seen) % round(crowd / share) < crowd else row)
    assert outcome("L1", overload(change=in_crowds)) is expected


def test_too_few_rows_or_refusals_are_inconclusive():
    short = overload(change=lambda row: None if row["load"] == OVER and row["sent_s"] > 64 else row)
    assert outcome("L1", replace(short, overload_s=(50.0, 64.0))) is INCONCLUSIVE
    count = iter(range(10**9))
    mostly_right = refusals(
        lambda row: row if next(count) % 4 == 0 else late({**row, "status": 200, "correct": 1}, 0.15)
    )
    assert outcome("L1", overload(change=mostly_right)) is INCONCLUSIVE


def test_late_answers_instead_of_refusals_fail():
    late_answers = refusals(lambda row: late({**row, "status": 200, "correct": 1}, 2.5))
    assert outcome("L1", overload(change=late_answers)) is FAIL


def test_a_machine_that_became_slow_is_not_held_against_the_service():
    """The same latencies without a slow beacon are the service's own."""
    assert outcome("L1", overload(change=slow_machine)) is INCONCLUSIVE
    own = overload(change=lambda row: slow_machine(row) if row["load"] == OVER else row)
    assert outcome("L1", own) is FAIL
    without = overload(change=lambda row: None if row["load"] == "beacon" else slow_machine(row))
    assert outcome("L1", without) is INCONCLUSIVE


def test_a_slow_machine_does_not_excuse_a_wrong_answer():
    def wrong(row):
        row = slow_machine(row)
        return {**row, "correct": 0} if row["load"] == OVER else row

    assert outcome("L1", overload(change=wrong)) is FAIL


def test_errors_that_the_beacon_shares_are_the_networks():
    def at_a_moment(row, beacon_too):
        hit = abs(row["sent_s"] - 60.0) < 0.2 and row["load"] in (OVER, *(["beacon"] if beacon_too else []))
        return broken(row, "reset", 0.01) if hit else row

    assert outcome("L1", overload(change=lambda row: at_a_moment(row, True))) is INCONCLUSIVE
    assert outcome("L1", overload(change=lambda row: at_a_moment(row, False))) is FAIL


@pytest.mark.parametrize(
    "change",
    [
        lambda row: {**row, "headers": '{"connection": "close"}'},
        in_load(OVER, lambda row: late(row, 1.5) if row["correct"] == 1 and row["sent_s"] < 51 else row),
    ],
    ids=["closes after a refusal", "a burst that queues for a second"],
)
def test_odd_ways_to_refuse_pass(change):
    assert outcome("L1", overload(change=change)) is PASS


# L6


@pytest.mark.parametrize(
    "change",
    [
        admitted(lambda row: late(row, 5.0)),
        admitted(lambda row: refusal(row), every=2),
        admitted(lambda row: broken(row), every=2),
        admitted(lambda row: late(row, 2.5), every=2),
    ],
    ids=["queue-unbounded", "reject-costs-inference", "timeouts-keep-computing", "internal-retries"],
)
def test_half_of_the_goodput_gone_fails(change):
    found = judged("L6", CONTRACT, overload(change=change))
    assert found.outcome is FAIL
    assert [m.name for m in found.measurements] == ["goodput, closed loop", "goodput at twice the capacity"]


@pytest.mark.parametrize(("every", "expected"), [(10, PASS), (5, INCONCLUSIVE), (3, FAIL)])
def test_a_fifth_less_is_the_limit(every, expected):
    assert outcome("L6", overload(change=admitted(lambda row: refusal(row), every=every))) is expected


def test_more_goodput_than_before_passes():
    more = refusals(lambda row: late({**row, "status": 200, "correct": 1}, 0.16), every=4)
    assert outcome("L6", overload(change=more)) is PASS


def test_a_load_that_is_carried_whole_shows_nothing_of_the_goodput_under_too_much():
    carried = refusals(lambda row: late({**row, "status": 200, "correct": 1}, 0.16))
    assert outcome("L6", overload(change=carried)) is INCONCLUSIVE


def test_a_slow_machine_or_no_beacon_leaves_goodput_open():
    assert outcome("L6", overload(change=slow_machine)) is INCONCLUSIVE
    assert outcome("L6", overload(change=in_load("beacon", lambda row: None))) is INCONCLUSIVE


def test_a_beacon_twice_as_slow_but_fast_says_nothing_about_the_machine():
    busy = in_load("beacon", lambda row: late(row, 0.015) if OVER_S[0] <= row["sent_s"] < OVER_S[1] else row)
    assert outcome("L6", overload(change=busy)) is PASS


def test_too_short_a_closed_loop_is_inconclusive():
    assert outcome("L6", overload(closed_s=(10.0, 25.0))) is INCONCLUSIVE
    none = overload(change=in_load(CLOSED, lambda row: None))
    assert outcome("L6", none) in (PASS, INCONCLUSIVE)


# L8


@pytest.mark.parametrize(
    "change",
    [
        in_load(RECOVERY, refusal),
        in_load(RECOVERY, lambda row: broken(row), every=50),
        in_load(RECOVERY, refusal, every=100),
        in_load(RECOVERY, lambda row: {**row, "correct": 0}, every=100),
        in_load(RECOVERY, lambda row: late(row, 3 * 0.15)),
        in_load(RECOVERY, lambda row: late(row, 0.25), every=3),
    ],
    ids=["breaker-latches", "zombie-backlog", "permits-leak", "a wrong answer", "memory-stays-swapped", "a third"],
)
def test_a_service_that_is_not_as_before_fails(change):
    seen = overload(change=change)
    found = judged("L8", CONTRACT, seen)
    assert found.outcome is FAIL
    assert {row.load for row in seen.ledger if row.row in found.rows} == {RECOVERY}


@pytest.mark.parametrize(("every", "expected"), [(20, PASS), (7, INCONCLUSIVE), (2, FAIL)])
def test_some_slower_answers_are_borne(every, expected):
    assert outcome("L8", overload(change=in_load(RECOVERY, lambda row: late(row, 0.4), every=every))) is expected


def test_a_pod_that_stays_unready_fails():
    unready = Change(97.0, "Pod", "MODIFIED", "b", pod("b", [{"exitCode": 0, "containerID": "x"}]))
    assert outcome("L8", overload(changes=(unready,))) is FAIL
    back = Change(98.0, "Pod", "MODIFIED", "b", pod("b"))
    assert outcome("L8", overload(changes=(unready, back))) is PASS


def test_a_pod_that_is_unready_while_its_slots_are_filled_later_is_no_matter_of_recovery():
    filled = Change(125.0, "Pod", "MODIFIED", "b", pod("b", [{"exitCode": 0, "containerID": "x"}]))
    assert outcome("L8", overload(changes=(filled,))) is PASS


def test_a_full_replica_may_refuse_whenever_it_is_full():
    """Four at work on pod a within one moment; the fifth is refused, as declared."""
    crowd = iter(range(10**9))

    def meet(row):
        if row["load"] == RECOVERY and 105.0 <= row["sent_s"] < 105.6 and (n := next(crowd)) < 5:
            row = {**late({**row, "sent_s": 105.1 + n / 1000, "scheduled_s": 105.1 + n / 1000}, 0.15), "pod": "a"}
            return refusal(row) if n == 4 else row
        return row

    seen = overload(change=meet)
    assert outcome("L8", seen) is PASS
    larger = contract(limits={"concurrency": {**CONCURRENCY, "limit": 12}})
    assert outcome("L8", seen, larger) is FAIL
    assert outcome("L8", seen, contract()) is FAIL


def test_what_the_service_refused_before_the_overload_is_no_baseline():
    assert outcome("L8", overload(change=in_load("baseline", refusal, every=100))) is INCONCLUSIVE
    assert outcome("L8", overload(change=in_load("baseline", lambda row: None, every=2))) is INCONCLUSIVE
    assert outcome("L8", overload(recovery_s=(100.0, 110.0))) is INCONCLUSIVE


def test_a_machine_slow_after_the_overload_and_a_network_that_breaks_leave_recovery_open():
    def slow(row):
        hit = row["load"] in (RECOVERY, "beacon") and row["sent_s"] >= 100.0
        return late(row, row["ended_s"] - row["sent_s"] + 0.3) if hit else row

    def cut(row):
        hit = row["load"] in (RECOVERY, "beacon") and 110.0 <= row["sent_s"] < 110.5
        return broken(row, "reset", 0.01) if hit else row

    assert outcome("L8", overload(change=slow)) is INCONCLUSIVE
    assert outcome("L8", overload(change=cut)) is INCONCLUSIVE
    assert outcome("L8", overload(change=lambda row: slow(row) if row["load"] == RECOVERY else row)) is FAIL


# the comparison itself


def test_the_beacon_is_compared_with_itself_at_the_baseline():
    assert overload().beacon_trouble(*OVER_S) == ""
    assert "times slower" in overload(change=slow_machine).beacon_trouble(*OVER_S)
    assert "0 rows" in overload().beacon_trouble(500.0, 600.0)
    without = overload(change=in_load("baseline", lambda row: None))
    assert "no baseline" in without.beacon_trouble(*OVER_S)
    assert overload().beacon_trouble(*BASELINE_S) == ""


def test_a_refusal_without_a_known_pod_counts_what_any_pod_had():
    seen = overload()
    one = seen.ledger.of(OVER).with_status(503).select(np.arange(len(seen.ledger.of(OVER).with_status(503))) == 0)
    somewhere = replace(one, pod=np.full(1, one.code("")))
    assert seen.refused_when_full(somewhere, 1).tolist() == [True]
    assert seen.refused_when_full(somewhere, 100).tolist() == [False]


def test_a_refusal_by_another_declared_limit_is_one_too():
    """A rate that is fixed in the chart refuses some of an overload."""
    rate = {"per_second": 30, "burst": 10, "reject": {"status": 429, "body": {"error": "slow"}}}
    both = contract(limits={"concurrency": CONCURRENCY, "rate": rate})
    seen = overload(change=refusals(lambda row: {**row, "status": 429, "body": '{"error": "slow"}'}, every=10))
    assert outcome("L1", seen, both) is PASS
    assert outcome("L1", seen) is FAIL
