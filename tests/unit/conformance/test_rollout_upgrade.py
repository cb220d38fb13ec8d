"""R1: an upgrade under load loses no request."""

import json
from dataclasses import replace

import numpy as np
import pytest

from seatrial.errors import InvalidMeasurement
from seatrial.trials.upgrade import Round, Upgrade
from seatrial.verdict import Outcome
from tests.helpers.observations import common, contract, judged, lost, pod_change, row, wrong
from tests.helpers.upgrades import changed_s, deleted_s, upgraded

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
BUSY = '{"error": "busy"}'
CONTRACT = contract(
    rollout={"change": {"value": "greeting", "set": "ahoy"}},
    limits={"concurrency": {"limit": 4, "reject": {"status": 503, "body": {"error": "busy"}}}},
)


def verdict(seen):
    return judged("R1", CONTRACT, CONTRACT.rollout, seen)


def within(start_s, end_s, becomes):
    """Every request sent in [start_s, end_s) becomes another."""
    return lambda made: becomes(made) if start_s <= made["sent_s"] < end_s else made


def first(n, becomes, start_s=60.01):
    """The first n requests from start_s on become others."""
    left = [n]

    def change(made):
        if made["sent_s"] >= start_s and left[0]:
            left[0] -= 1
            return becomes(made)
        return made

    return change


def test_upgrades_that_lose_nothing_pass_with_the_bound_of_what_they_exclude():
    found = verdict(upgraded())
    assert found.outcome is PASS
    assert found.n >= 2000
    assert found.measurements[0].high == pytest.approx(3 / found.n, rel=0.01)


@pytest.mark.parametrize(
    ("fault", "start_s", "length_s", "becomes"),
    [
        ("ready-on-bind", deleted_s(1, 0) - 1, 1.0, lambda made: wrong(made, "{}", 503)),
        ("close-listener-on-sigterm", deleted_s(1, 0), 0.1, lambda made: lost(made, "refused")),
        ("max-unavailable-100", changed_s(1), 2.0, lambda made: lost({**made, "pod": ""}, "refused")),
        ("grace-0", deleted_s(1, 1) - 0.1, 0.1, lambda made: lost(made, "reset")),
        ("a truncated answer", deleted_s(2, 1) - 0.1, 0.05, lambda made: lost(made, "eof")),
        ("a wrong answer", deleted_s(2, 1) - 0.1, 0.05, lambda made: wrong(made, "{}")),
    ],
)
def test_a_loss_anywhere_in_the_upgrade_fails_with_the_rows(fault, start_s, length_s, becomes):
    seen = upgraded(change=within(start_s, start_s + length_s, becomes))
    found = verdict(seen)
    assert found.outcome is FAIL
    broken = {request.row for request in seen.ledger if not request.right}
    assert found.rows
    assert set(found.rows) <= broken


def test_one_request_is_enough_and_the_sentence_says_when_it_was_sent():
    found = verdict(upgraded(change=first(1, lambda made: lost(made, "reset"))))
    assert found.outcome is FAIL
    assert "1 lost or wrong, the first reset 0.02 s after upgrade 1 began" in found.found


def test_a_loss_in_an_upgrade_that_never_ends_fails_all_the_same():
    seen = upgraded(change=first(1, lambda made: lost(made, "reset")), finished=False)
    assert verdict(seen).outcome is FAIL


@pytest.mark.parametrize(
    ("missing", "otherwise"),
    [
        ("not finished", {"finished": False}),
        ("4.0 s before", {"lead_s": 4.0}),
        ("that met a pod after its deletion", {"lingers_s": 0.0}),
        ("in 2 upgrades", {"rounds": 2}),
        ("at 20.0/s", {"rps": 20.0}),
    ],
    ids=["not upgraded", "no load before", "no connection after a deletion", "too few upgrades", "too little load"],
)
def test_nothing_lost_in_an_upgrade_that_shows_nothing_is_inconclusive(missing, otherwise):
    found = verdict(upgraded(**otherwise))
    assert found.outcome is INCONCLUSIVE
    assert missing in f"{found.found} {found.expected}"


def test_no_load_at_all_is_inconclusive():
    assert verdict(upgraded(change=lambda made: None)).outcome is INCONCLUSIVE


def test_five_connections_after_a_deletion_are_enough_and_four_are_not():
    def keep(n):
        left = [n]

        def change(made):
            leaving = ((f"old-{i}-{w}", deleted_s(i, w)) for i in range(3) for w in (0, 1))
            if not any(made["pod"] == pod and made["sent_s"] >= at_s for pod, at_s in leaving):
                return made
            left[0] -= 1
            return made if left[0] >= 0 else {**made, "pod": made["pod"].replace("old", "new")}

        return change

    outcomes = [verdict(upgraded(change=keep(n))).outcome for n in (4, 5)]
    assert outcomes == [INCONCLUSIVE, PASS]


def behind_a_proxy(named):
    """The generator does not know the pod; answers name it in X-Served-By, as `named` says."""
    lone = {**row("lone", 1.0, target="old-0-0"), "headers": json.dumps({"x-served-by": named("old-0-0")})}

    def hidden(made):
        return {**made, "headers": json.dumps({"x-served-by": named(made["pod"])}), "pod": ""}

    return upgraded(change=hidden, beacon=(lone,))


def test_behind_a_proxy_the_answers_tell_which_pod_they_are_of():
    assert verdict(behind_a_proxy(lambda pod: pod)).outcome is PASS


@pytest.mark.parametrize("named", [lambda pod: "", lambda pod: f"{pod}.node-1"], ids=["no name", "another name"])
def test_names_that_are_not_the_pods_tell_nothing(named):
    assert verdict(behind_a_proxy(named)).outcome is INCONCLUSIVE


def test_what_broke_when_the_beacon_did_is_nobodys_loss_and_no_pass():
    at_s = changed_s(1)
    beacon = lost(row("beacon", at_s, 0.05, target=""), "timeout")
    seen = upgraded(change=first(1, lambda made: lost(made, "timeout"), at_s), beacon=(beacon,))
    assert verdict(seen).outcome is INCONCLUSIVE


@pytest.mark.parametrize(("late_s", "outcome"), [(2.9, FAIL), (3.1, INCONCLUSIVE)])
def test_a_network_that_leads_to_a_pod_long_gone_is_not_the_services_fault(late_s, outcome):
    gone_s = deleted_s(1, 0)

    def misled(made):
        return {**lost(made, "refused"), "pod": "old-1-0"}

    assert verdict(upgraded(change=first(1, misled, gone_s + late_s))).outcome is outcome


def test_a_declared_refusal_by_a_pod_that_stays_is_the_limit_at_work_and_no_pass():
    seen = upgraded(change=first(1, lambda made: wrong(made, BUSY, 503)))
    assert verdict(seen).outcome is INCONCLUSIVE


def test_a_declared_refusal_by_a_pod_that_goes_is_a_loss():
    seen = upgraded(change=first(1, lambda made: {**wrong(made, BUSY, 503), "pod": "old-1-0"}, deleted_s(1, 0)))
    assert verdict(seen).outcome is FAIL


@pytest.mark.parametrize(("took_s", "outcome"), [(0.1, FAIL), (1.5, INCONCLUSIVE)])
def test_a_declared_refusal_after_the_machine_stood_still_is_not_told_from_its_doing(took_s, outcome):
    """What arrived meanwhile comes at once, and a pod that goes has no more slots than another."""
    at_s = deleted_s(1, 0)
    beacon = row("beacon", at_s - 1.0, took_s, target="")
    busy = first(1, lambda made: {**wrong(made, BUSY, 503), "pod": "old-1-0"}, at_s)
    assert verdict(upgraded(change=busy, beacon=(beacon,))).outcome is outcome


def test_a_request_of_no_upgrade_is_refused_where_it_is_seen():
    with pytest.raises(InvalidMeasurement, match=r"expected every request of the load service .* found groups \[7\]"):
        upgraded(change=first(1, lambda made: {**made, "group": 7}))


def test_another_order_of_pods_and_a_rollout_one_by_one_pass():
    """maxSurge 0 / maxUnavailable 1: while the one pod is replaced, everything goes to the other."""

    def alone(made):
        index = made["group"]
        gap = deleted_s(index, 0) + 0.1 <= made["sent_s"] < deleted_s(index, 0) + 3
        return {**made, "pod": f"old-{index}-1"} if gap else made

    assert verdict(upgraded(change=alone)).outcome is PASS


def test_rows_of_the_calibration_are_not_judged():
    calibration = tuple(lost(row("calibration", 1.0 + n * 0.01), "refused") for n in range(20))
    seen = upgraded(beacon=calibration)
    assert np.isin(seen.ledger.texts("load"), ["calibration"]).sum() == 20
    assert verdict(seen).outcome is PASS


# of a StatefulSet, whose pods keep their names


@pytest.fixture
def kept_names():
    """Two upgrades that each take a pod away and make another of its name 5 s later."""
    alive = replace(pod_change(10.0, "subject-0"), type="ADDED")
    metadata = {**alive.object["metadata"], "deletionTimestamp": "2026-01-01T00:00:10Z"}
    leaving = replace(alive, type="MODIFIED", object={**alive.object, "metadata": metadata})
    changes = [alive]
    for at_s in (deleted_s(0, 0), deleted_s(1, 0)):
        changes += [replace(leaving, at_s=at_s), replace(leaving, at_s=at_s + 4.5, type="DELETED")]
        changes += [replace(alive, at_s=at_s + 5.0)]
    rounds = tuple(
        Round(index, ("subject-0",), (changed_s(index), changed_s(index) + 20), changed_s(index), changed_s(index) + 15)
        for index in range(2)
    )

    def seen(*rows):
        return Upgrade(**common(rows, changes), rounds=rounds, propagation_s=3.0)

    return seen


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(
    ("after_s", "met", "misrouted"), [(-0.1, False, False), (0.1, True, False), (4.0, True, True), (6.0, False, False)]
)
def test_an_answer_is_by_the_pod_that_leaves_until_another_has_its_name(kept_names, index, after_s, met, misrouted):
    seen = kept_names(row("service", deleted_s(index, 0) + after_s, target="", pod="subject-0", group=index))
    rows = seen.ledger
    assert (seen.met_a_leaving_pod(rows).tolist(), seen.misrouted(rows).tolist()) == ([met], [misrouted])


def test_what_the_new_pod_of_the_name_loses_is_a_loss(kept_names):
    failed = lost(row("service", deleted_s(0, 0) + 6, target="", pod="subject-0", group=0), "reset")
    assert verdict(kept_names(failed)).outcome is FAIL
