"""P3: the outage of a dependency restarts nothing, and its return mends everything."""

import re
from dataclasses import replace

import pytest

from seatrial.observation import Change
from seatrial.trials.dependency_outage import LIVENESS, SERVICE
from seatrial.verdict import Outcome
from tests.helpers.observations import contract, judged, lost, pod_change, row, wrong
from tests.helpers.outages import BACK_S, END_S, PODS, REFUSE_S, STALL_S, beacon, dead, outage

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CONTRACT = contract(dependencies={"library": {"http": {"routes": [{"path": "/"}]}}})


def verdict(seen, promises=CONTRACT):
    return judged("P3", promises, seen)


def probes(start_s, end_s, becomes, *pods, every=1):
    """The liveness probes of some pods (`a`, if not told) in a window become others; every so many of them."""

    def change(made):
        chosen = made["load"] == LIVENESS and made["target"] in (pods or "a") and start_s <= made["sent_s"] < end_s
        return becomes(made) if chosen and int(made["sent_s"]) % every == 0 else made

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


def refused(made):
    return wrong(made, "{}", 500)


@pytest.mark.parametrize(
    ("fault", "change", "during"),
    [
        ("live-queries-dependency", probes(REFUSE_S, BACK_S, refused), "during the refuse"),
        ("live-hangs-on-pool", probes(STALL_S + 2, REFUSE_S, dead), "during the stall"),
        ("live-fails-after-a-while", probes(BACK_S - 3, BACK_S, refused), "during the refuse"),
        ("live-fails-after-a-while, on a stall", probes(REFUSE_S - 3, REFUSE_S, dead), "during the stall"),
        ("live-fails-long-enough-for-a-restart", probes(STALL_S + 5, STALL_S + 10, dead), "during the stall"),
        ("live-dies-afterwards", probes(BACK_S + 2, BACK_S + 8, dead), "after the refuse"),
    ],
)
def test_liveness_that_would_restart_a_pod_fails_with_the_rows_and_says_when(fault, change, during):
    seen = outage(change=change)
    found = verdict(seen)
    assert found.outcome is FAIL
    assert f"{during} of library" in found.found
    assert found.rows
    assert all(seen.ledger.texts("target")[row] == "a" for row in found.rows)


def test_liveness_that_fails_in_every_second_second_of_an_outage_fails_though_no_threshold_is_reached():
    found = verdict(outage(ends_s=BACK_S + 35, change=probes(STALL_S, REFUSE_S, dead, *PODS, every=2)))
    assert found.outcome is FAIL
    assert "in 10 of 20 s, during the stall of library" in found.found
    assert len(found.rows) == 20


def test_liveness_that_fails_now_and_then_in_outages_alone_is_neither_passed_nor_failed():
    found = verdict(outage(change=probes(STALL_S, REFUSE_S, dead, *PODS, every=5)))
    assert (found.outcome, found.found) == (
        INCONCLUSIVE,
        "library, stall: in 4 of 20 s, otherwise in 0 of 25; by chance in 3.3% of runs",
    )


def test_liveness_that_fails_as_often_without_an_outage_is_another_matter():
    assert verdict(outage(change=probes(10.0, END_S, dead, *PODS, every=5))).outcome is PASS


@pytest.mark.parametrize(
    ("late", "change"),
    [
        ("one", probes(STALL_S + 5, STALL_S + 6, dead)),
        ("one of each pod", probes(STALL_S + 5, STALL_S + 6, dead, *PODS)),
        ("two in a row", probes(REFUSE_S + 5, REFUSE_S + 7, dead, *PODS)),
        ("one when the outage ends", probes(BACK_S - 1, BACK_S, dead)),
        ("an error once", probes(REFUSE_S + 5, REFUSE_S + 6, refused)),
    ],
)
def test_what_the_kubelet_bears_passes_and_is_told(late, change):
    found = verdict(outage(change=change))
    assert found.outcome is PASS
    assert re.search(r"12[689] liveness probes answered, [124] not, recovered", found.found)


@pytest.mark.parametrize(
    ("probe", "failed_s", "outcome"),
    [
        ({"failureThreshold": 3, "periodSeconds": 2}, 4, INCONCLUSIVE),
        ({"failureThreshold": 3, "periodSeconds": 2}, 5, FAIL),
        ({"failureThreshold": 3, "periodSeconds": 3}, 5, INCONCLUSIVE),
        ({"failureThreshold": 1, "periodSeconds": 10}, 1, PASS),
        ({"failureThreshold": 1, "periodSeconds": 10}, 11, FAIL),
        ({"failureThreshold": 6, "periodSeconds": 1}, 5, INCONCLUSIVE),
        ({"failureThreshold": 6, "periodSeconds": 1}, 6, FAIL),
    ],
)
def test_a_run_of_failures_counts_as_the_kubelet_of_this_pod_would_count_it(probe, failed_s, outcome):
    seen = outage(change=probes(STALL_S + 5, STALL_S + 5 + failed_s, dead), probe=probe)
    assert verdict(seen).outcome is outcome


def test_one_hang_that_a_kubelet_with_a_long_timeout_meets_once_is_one_failure():
    """Seven seconds: asked every second, with 5 s of patience, three probes time out that overlap."""

    def hung(made):
        return {**dead(made), "ended_s": made["sent_s"] + 5.001}

    seen = outage(change=probes(STALL_S + 5, STALL_S + 8, hung), probe={"timeoutSeconds": 5, "periodSeconds": 1})
    assert verdict(seen).outcome is not FAIL


@pytest.mark.parametrize(("took_s", "outcome"), [(0.4, FAIL), (0.6, PASS)])
def test_probes_that_time_out_while_the_machine_stands_still_are_nobodys_fault(took_s, outcome):
    """Three seconds on end: the beacon, which has 5 s, answers, but only after half of what the probe has."""
    slow = tuple(beacon(STALL_S + 5 + n * 0.25, took_s) for n in range(14))
    change = probes(STALL_S + 5, STALL_S + 8, dead, *PODS)
    assert verdict(outage(change=change, more=slow, probe={"periodSeconds": 1})).outcome is outcome


def test_an_error_that_the_service_answered_is_its_own_however_slow_the_machine():
    slow = tuple(beacon(REFUSE_S + n * 0.25, 0.6) for n in range(80))
    assert verdict(outage(change=probes(REFUSE_S, BACK_S, refused), more=slow)).outcome is FAIL


def test_a_machine_that_stands_still_through_an_outage_leaves_too_few_probes_for_a_pass():
    slow = tuple(beacon(STALL_S + n, 1.5) for n in range(20))
    found = verdict(outage(change=probes(STALL_S, REFUSE_S, dead, *PODS), more=slow))
    assert found.outcome is INCONCLUSIVE
    assert "a machine that does not stand still" in found.expected


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


@pytest.mark.parametrize("made_before", ["none", "wrong"])
def test_a_pod_that_stays_unready_after_the_return_fails_whatever_was_asked_before(made_before):
    def change(made):
        early = made["load"] == SERVICE and made["sent_s"] < STALL_S
        return (None if made_before == "none" else wrong(made, "{}")) if early else made

    gone = (pod_change(50.0, ready=False),)
    assert verdict(outage(ends_s=BACK_S + 31, changes=gone, change=change)).outcome is FAIL


def some_wrong_before(made):
    """Every tenth case before the outages is wrong."""
    chosen = made["load"] == SERVICE and made["sent_s"] < STALL_S and round(made["sent_s"] * 10) % 10 == 0
    return wrong(made, "{}") if chosen else made


def test_cases_that_are_all_wrong_after_the_return_fail_though_one_before_was_too():
    seen = outage(ends_s=BACK_S + 35, recovery_s=40.0, change=some_wrong_before)
    assert verdict(seen).outcome is FAIL


def test_cases_that_are_wrong_as_often_as_before_any_outage_are_another_matter():
    def change(made):
        late = made["load"] == SERVICE and made["sent_s"] >= BACK_S and round(made["sent_s"] * 10) % 10 == 0
        return wrong(made, "{}") if late else some_wrong_before(made)

    assert verdict(outage(ends_s=BACK_S + 35, change=change)).outcome is INCONCLUSIVE


def test_a_lone_request_that_was_right_shows_that_cases_were_right_before():
    seen = outage(
        ends_s=BACK_S + 35,
        recovery_s=40.0,
        change=lambda made: None if made["load"] == SERVICE and made["sent_s"] < STALL_S else made,
        more=(row("lone", 5.0),),
    )
    assert verdict(seen).outcome is FAIL


def test_a_case_refused_when_the_machine_stood_still_is_not_the_recoverys():
    at_s = BACK_S + 32.0

    def change(made):
        chosen = made["load"] == SERVICE and at_s <= made["sent_s"] < at_s + 0.5
        return wrong(made, "{}", 503) if chosen else made

    found = {
        took_s: verdict(outage(ends_s=BACK_S + 35, change=change, more=(beacon(at_s - 1.0, took_s),)))
        for took_s in (0.1, 1.5)
    }
    assert {took_s: each.outcome for took_s, each in found.items()} == {0.1: FAIL, 1.5: PASS}


@pytest.mark.parametrize(("took_s", "back_s", "outcome"), [(0.1, 33.5, FAIL), (1.5, 33.5, PASS), (1.5, None, FAIL)])
def test_a_pod_that_was_unready_for_a_moment_as_the_machine_stood_still_has_recovered(took_s, back_s, outcome):
    """One that is never Ready again has not."""
    again = () if back_s is None else (pod_change(BACK_S + back_s),)
    changes = (pod_change(BACK_S + 32.5, ready=False), *again)
    slow = (beacon(BACK_S + 31.0, took_s),)
    assert verdict(outage(ends_s=BACK_S + 35, changes=changes, more=slow)).outcome is outcome


@pytest.mark.parametrize(("took_s", "outcome"), [(0.1, INCONCLUSIVE), (1.5, PASS)])
def test_a_case_refused_before_the_outages_as_the_machine_stood_still_takes_nothing_away(took_s, outcome):
    def change(made):
        chosen = made["load"] == SERVICE and STALL_S - 5 <= made["sent_s"] < STALL_S - 4.7
        return wrong(made, "{}", 503) if chosen else made

    assert verdict(outage(change=change, more=(beacon(STALL_S - 6.0, took_s),))).outcome is outcome


def test_an_outage_without_a_return_is_judged_by_what_broke_and_never_passes():
    seen = replace(outage(), restorations=())
    assert verdict(seen).outcome is INCONCLUSIVE
    broken = replace(outage(change=probes(REFUSE_S, BACK_S, refused)), restorations=())
    assert verdict(broken).outcome is FAIL


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


def unfelt(made):
    return {**row(SERVICE, made["sent_s"], target="")} if made["load"] == SERVICE else made


def one_felt(made):
    return made if made["load"] == SERVICE and made["sent_s"] == STALL_S + 5 else unfelt(made)


def none_sent(made):
    return None if made["load"] == SERVICE and REFUSE_S <= made["sent_s"] < BACK_S else unfelt(made)


def test_an_outage_of_what_only_starting_pods_ask_passes_where_nothing_is_felt_of_it():
    library = {"http": {"routes": [{"path": "/"}], "only_at_start": True}}
    at_start = contract(dependencies={"library": library})
    assert verdict(outage(change=unfelt, denied=0), at_start).outcome is PASS
    felt = verdict(outage(change=one_felt, denied=0), at_start)
    assert (felt.outcome, felt.found) == (INCONCLUSIVE, "library, stall: 199 of 200")
    assert "leave `only_at_start` out" in felt.do
    unsent = verdict(outage(change=none_sent, denied=0), at_start)
    assert (unsent.outcome, unsent.found) == (INCONCLUSIVE, "library, refuse: 0 of 0")
    unused = verdict(outage(change=unfelt, denied=0, served_before=0), at_start)
    assert (unused.outcome, unused.found) == (INCONCLUSIVE, "library, stall: nothing was asked of it")
    assert verdict(outage(change=probes(REFUSE_S, BACK_S, refused)), at_start).outcome is FAIL
    # Without a word of it, nobody can tell this from an outage that never was.
    assert verdict(outage(change=unfelt, denied=0)).outcome is INCONCLUSIVE
