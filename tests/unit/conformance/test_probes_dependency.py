"""P3: the outage of a dependency restarts nothing, and its return mends everything."""

from dataclasses import replace

import pytest

from seatrial.observation import Change
from seatrial.trials.dependency_outage import LIVENESS, SERVICE
from seatrial.verdict import Outcome
from tests.helpers.observations import contract, judged, lost, pod_change, row, wrong
from tests.helpers.outages import BACK_S, END_S, REFUSE_S, STALL_S, dead, outage

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CONTRACT = contract(dependencies={"library": {"http": {"routes": [{"path": "/"}]}}})


def verdict(seen, promises=CONTRACT):
    return judged("P3", promises, seen)


def probes(start_s, end_s, becomes, pod="a"):
    """The liveness probes of one pod in a window become others."""

    def change(made):
        chosen = made["load"] == LIVENESS and made["target"] == pod and start_s <= made["sent_s"] < end_s
        return becomes(made) if chosen else made

    return change


def killing(at_s, pod="a"):
    """An Event of the kubelet."""
    item = {
        "metadata": {"name": "e", "uid": "e"},
        "reason": "Killing",
        "message": "Container server failed liveness probe, will be restarted",
        "involvedObject": {"kind": "Pod", "name": pod},
    }
    return Change(at_s, "Event", "ADDED", "e", item)


def test_a_service_that_bears_both_outages_and_recovers_passes_with_what_was_asked():
    found = verdict(outage())
    assert found.outcome is PASS
    assert "library: 2 outages of 20 s, 130 liveness probes answered, recovered after 1.0 s" in found.found


@pytest.mark.parametrize(
    ("fault", "change", "during"),
    [
        ("live-queries-dependency", probes(REFUSE_S, BACK_S, lambda made: wrong(made, "{}", 500)), "during the refuse"),
        ("live-hangs-on-pool", probes(STALL_S + 2, REFUSE_S, dead), "during the stall"),
        ("live-dies-afterwards", probes(BACK_S + 2, BACK_S + 3.5, dead), "after the refuse"),
    ],
)
def test_a_liveness_probe_without_2xx_fails_with_the_rows_and_says_when(fault, change, during):
    seen = outage(change=change)
    found = verdict(seen)
    assert found.outcome is FAIL
    assert f"{during} of library" in found.found
    assert found.rows
    assert all(seen.ledger.texts("target")[row] == "a" for row in found.rows)


@pytest.mark.parametrize(
    "broken",
    [(killing(45.0),), (pod_change(45.0, ready=False, restarts=1), pod_change(47.0, restarts=1))],
    ids=["Killing", "restart count"],
)
def test_a_restart_fails_whatever_liveness_said(broken):
    found = verdict(outage(changes=broken, liveness=False))
    assert found.outcome is FAIL
    assert found.evidence
    assert "during the refuse of library" in found.found


def test_a_restart_before_the_outages_is_another_matter():
    assert verdict(outage(changes=(pod_change(0.5, restarts=1), pod_change(1.5, restarts=1)))).outcome is PASS


def test_cases_that_stay_wrong_after_the_return_fail_with_the_rows():
    seen = outage(ends_s=BACK_S + 31, recovery_s=40.0)
    found = verdict(seen)
    assert found.outcome is FAIL
    assert "library: a case was answered 503" in found.found
    assert found.rows


def test_a_pod_that_stays_unready_after_the_return_fails():
    found = verdict(outage(ends_s=BACK_S + 31, changes=(pod_change(50.0, ready=False),)))
    assert found.outcome is FAIL
    assert "library: a was not Ready 31 s after its return" in found.found


@pytest.mark.parametrize(("recovery_s", "outcome"), [(29.5, PASS), (30.5, FAIL)])
def test_thirty_seconds_are_enough_for_a_recovery_and_more_are_not(recovery_s, outcome):
    assert verdict(outage(ends_s=BACK_S + 36, recovery_s=recovery_s)).outcome is outcome


def test_a_pod_that_was_made_after_the_recovery_says_nothing_about_it():
    seen = outage(changes=(pod_change(END_S + 1.0, "c"),))
    assert verdict(replace(seen, pods=(*seen.pods, replace(seen.pods[0], name="c", uid="c")))).outcome is PASS


def never_failing(made):
    """Cases that are answered right all the while."""
    return {**made, "status": 200, "correct": 1} if made["load"] == SERVICE else made


@pytest.mark.parametrize(
    ("missing", "otherwise"),
    [
        ("nothing was asked of it", {"served_before": 0}),
        ("15 s", {"end_s": STALL_S + 15.0}),
        ("neither", {"denied": 0, "change": never_failing}),
        ("liveness probes sent", {"change": probes(STALL_S, REFUSE_S, lambda made: None)}),
        ("none", {"kinds": ()}),
        ("before any outage", {"change": lambda made: None if made["sent_s"] < STALL_S else made}),
        ("before any outage", {"change": lambda made: wrong(made, "{}") if made["load"] == SERVICE else made}),
        ("right cases after", {"change": lambda made: None if made["sent_s"] >= BACK_S else made}),
    ],
    ids=[
        "never used",
        "too short",
        "not met",
        "liveness not asked",
        "no outage",
        "nothing sent before",
        "wrong before",
        "nothing sent afterwards",
    ],
)
def test_nothing_broken_where_nothing_was_shown_is_inconclusive(missing, otherwise):
    found = verdict(outage(**otherwise))
    assert found.outcome is INCONCLUSIVE
    assert missing in f"{found.expected} {found.found}"


def test_an_attempt_that_was_denied_shows_the_outage_as_well_as_a_failed_case():
    assert verdict(outage(change=never_failing)).outcome is PASS


def test_a_service_without_a_liveness_probe_passes_by_its_restarts_and_its_recovery():
    assert verdict(outage(liveness=False)).outcome is PASS


def test_readiness_that_follows_the_dependency_and_comes_back_passes():
    follows = (pod_change(22.0, ready=False), pod_change(BACK_S + 1.5))
    assert verdict(outage(changes=follows)).outcome is PASS


def test_dependencies_that_nobody_can_take_away_are_not_judged():
    secret = contract(dependencies={"token": {"secret": {"name": "token", "values": {"KEY": {"env": "KEY"}}}}})
    assert verdict(outage(kinds=()), secret).outcome is Outcome.SKIPPED


def test_a_probe_that_timed_out_when_the_beacon_did_is_nobodys_fault():
    seen_s = STALL_S + 2.0

    def change(made):
        return probes(seen_s, seen_s + 1.0, dead)(made)

    beacon = lost(row("beacon", seen_s, 0.05, target=""), "timeout")
    rows = outage(change=change, more=(beacon,))
    assert verdict(rows).outcome is PASS
