"""D4: a pod that is told to stop leaves the endpoints before its socket closes."""

from dataclasses import replace

import pytest

from seatrial.verdict import Outcome
from tests.helpers.drains import DRAIN, deletion, one_round_otherwise
from tests.helpers.observations import contract, judged

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CONTRACT = contract(drain=DRAIN)


def outcome(id, seen, promises=CONTRACT):
    return judged(id, promises, seen).outcome


@pytest.mark.parametrize(
    "how",
    [
        {"closed_s": 0.12},
        {"closed_s": 0.12, "unready_s": 0.05},
        {"closed_s": 1.9},
        {"unready_s": 0.15, "endpoint_stays_ready": True},
        {"unready_s": None, "removed_s": 0.3, "closed_s": 0.1, "exit_s": 0.2, "exit_seen_s": 0.25},
    ],
    ids=[
        "close-listener-on-sigterm", "unready first, and too soon", "close-listener-2s-after-sigterm",
        "publish-not-ready", "the process ends at SIGTERM",
    ],
)  # fmt: skip
def test_a_socket_that_closes_too_soon_fails(how):
    assert outcome("D4", deletion(**how)) is FAIL


def test_the_connects_that_were_refused_decide():
    seen = deletion(closed_s=0.5)
    rows = {row.row: row for row in seen.ledger}
    decisive = [rows[number] for number in judged("D4", CONTRACT, seen).rows]
    assert {(row.load, row.error) for row in decisive} == {("connect", "refused")}
    assert len(decisive) == 9  # three of each round


def test_connections_that_are_reset_at_once_are_a_closed_socket():
    def torn(row, round):
        early = row["load"] == "connect" and round.deleted_s + 0.2 < row["sent_s"]
        return {**row, "error": "reset"} if early else row

    assert outcome("D4", deletion(change=torn)) is FAIL


@pytest.mark.parametrize(("closed_s", "expected"), [(1.97, FAIL), (2.0, PASS), (2.5, PASS)])
def test_two_seconds_of_connections_are_promised(closed_s, expected):
    assert outcome("D4", deletion(closed_s=closed_s)) is expected


def test_one_round_of_three_is_enough_to_fail():
    assert outcome("D4", one_round_otherwise(1, closed_s=0.3)) is FAIL


def test_a_slow_endpoint_is_the_clusters_fault_once_the_socket_was_open_for_long_enough():
    assert outcome("D4", deletion(closed_s=2.5, unready_s=2.8)) is INCONCLUSIVE


def test_a_connect_that_times_out_among_others_that_succeed_met_no_closed_socket():
    def slow(row, round):
        one = row["load"] == "connect" and 0.3 < row["sent_s"] - round.deleted_s < 0.32
        return {**row, "error": "timeout", "ended_s": row["sent_s"] + 5} if one else row

    assert outcome("D4", deletion(change=slow)) is PASS


@pytest.mark.parametrize(
    "how",
    [
        {"unready_s": None, "removed_s": 1e6},
        {"connects_until_s": 0.5},
        {"change": lambda row, round: None if row["load"] == "connect" else row},
    ],
    ids=["the endpoint was never seen to leave", "connects end after half a second", "no connects"],
)
def test_d4_without_its_preconditions_is_inconclusive(how):
    assert outcome("D4", deletion(**how)) is INCONCLUSIVE


def test_a_single_replica_proves_nothing():
    seen = deletion()
    alone = [c for c in seen.timeline.changes if c.name != "other"]
    for change in alone:
        if change.kind == "EndpointSlice":
            change.object["endpoints"][:] = [e for e in change.object["endpoints"] if e["targetRef"]["name"] != "other"]
    seen = replace(seen, timeline=replace(seen.timeline, changes=tuple(alone)))
    assert outcome("D4", seen) is INCONCLUSIVE


# an idle pod


@pytest.mark.parametrize(("closed_s", "expected"), [(0.1, FAIL), (1.9, FAIL), (2.0, PASS), (2.1, PASS), (None, PASS)])
def test_a_pod_with_nothing_to_do_accepts_for_as_long_as_any(closed_s, expected):
    """What is in flight keeps a listener open that closes as soon as it is done."""
    found = judged("D4", CONTRACT, deletion(idle={"closed_s": closed_s, "unready_s": 0.05}))
    assert found.outcome is expected
    assert (expected is FAIL) == found.found.startswith("round 3: endpoint not ready 0.05 s")


def test_nobody_needs_to_stand_beside_an_idle_pod():
    """Another is being deleted, and one for it may not be Ready yet."""
    seen = deletion()
    idle = seen.rounds[-1]
    for change in seen.timeline.changes:
        if change.kind == "EndpointSlice" and change.at_s > idle.deleted_s - 15:
            change.object["endpoints"][:] = [e for e in change.object["endpoints"] if e["targetRef"]["name"] != "other"]
    found = judged("D4", CONTRACT, seen)
    assert (found.outcome, found.n) == (PASS, 4)


def test_without_a_promise_only_loaded_pods_are_judged():
    found = judged("D4", contract(), replace(deletion(closed_s=3.5, idle={"closed_s": 0.5}), propagation_s=3.0))
    assert (found.outcome, found.n) == (PASS, 3)


def test_a_record_from_before_connects_were_sent_to_idle_pods_is_judged_by_the_loaded_ones():
    def without(row, round):
        return None if row["load"] == "connect" and not round.loaded else row

    found = judged("D4", CONTRACT, deletion(change=without))
    assert (found.outcome, found.n) == (PASS, 3)
