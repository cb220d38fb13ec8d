"""P5: a service that is saturated is neither restarted nor taken out of service, unless it declares that it sheds."""

from dataclasses import replace

import pytest

from seatrial.observation import Change, Pod
from seatrial.trials.held_slots import FAILING, HOLD
from seatrial.trials.overload import OVER
from seatrial.verdict import Outcome
from tests.helpers.drains import pod, request
from tests.helpers.observations import contract, judged
from tests.helpers.overloads import CONCURRENCY, OVER_S, SPEC, overload

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
CONTRACT = contract(limits={"concurrency": CONCURRENCY})


def outcome(id, seen, promises=CONTRACT):
    return judged(id, promises, seen).outcome


def event(at_s, reason, message="…", pod="a"):
    about = {"kind": "Pod", "name": pod}
    item = {"reason": reason, "message": message, "involvedObject": about}
    return Change(at_s, "Event", "ADDED", f"{reason}-{at_s}", item)


def restarted(at_s, name="a", count=1, reason="Error"):
    item = pod(name)
    last = {"exitCode": 137, "reason": reason, "containerID": f"{name}-0", "finishedAt": "1970-01-01T00:01:00Z"}
    item["status"]["containerStatuses"][0].update(restartCount=count, lastState={"terminated": last})
    return Change(at_s, "Pod", "MODIFIED", name, item)


def unready(at_s, name="a"):
    item = pod(name)
    item["status"]["conditions"][0]["status"] = "False"
    return Change(at_s, "Pod", "MODIFIED", name, item)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((restarted(70.0), event(69.0, "Killing")), "137"),
        ((restarted(70.0, reason="OOMKilled"),), "OOMKilled"),
        ((event(69.0, "Killing", "Container failed liveness probe"),), "liveness"),
        ((unready(70.0), Change(71.0, "Pod", "MODIFIED", "a", pod("a"))), "a became unready"),
    ],
    ids=["probe-shares-workers", "queue-grows-to-oom", "live-takes-engine-lock", "sync-predict-blocks-loop"],
)
def test_a_restart_a_kill_or_an_unready_pod_fails_and_is_named(changes, told):
    found = judged("P5", CONTRACT, overload(changes=changes))
    assert found.outcome is FAIL
    assert told in found.found


def test_failed_probes_below_the_threshold_and_what_was_before_pass():
    before = (restarted(5.0), event(4.0, "Killing"), event(60.0, "Unhealthy"), event(61.0, "Unhealthy"))
    assert outcome("P5", overload(changes=before)) is PASS
    still = (restarted(5.0), Change(60.0, "Pod", "MODIFIED", "a", restarted(5.0).object))
    assert outcome("P5", overload(changes=still)) is PASS


def test_a_restart_under_twice_the_clients_fails_though_no_capacity_was_left_to_overload():
    """As sync-predict-blocks-loop was seen to do: restarted in the closed loop, it answered next to nothing."""
    collapsed = overload(changes=(event(19.0, "Killing"), restarted(20.0)), offered=0.9)
    assert not collapsed.was_overload
    found = judged("P5", CONTRACT, collapsed)
    assert (found.outcome, "137" in found.found) == (FAIL, True)


SHEDS = contract(
    limits={"concurrency": CONCURRENCY},
    probes={"readiness": True, "readiness_sheds_load": True},
)


def shed(*spells, name="a"):
    """The pod becomes unready and Ready again, at these seconds from the end of the overload on."""
    end_s = OVER_S[1]
    found = []
    for from_s, to_s in spells:
        found.append(unready(end_s + from_s, name))
        found.append(Change(end_s + to_s, "Pod", "MODIFIED", name, pod(name)))
    return tuple(found)


def test_shedding_load_by_readiness_is_for_those_who_declare_it():
    flapping = overload(changes=(*shed((-40, -37), (-34, 3)), *shed((-30, 14.9), name="b")))
    found = judged("P5", SHEDS, flapping)
    assert found.outcome is PASS
    assert "2 pods unready meanwhile" in found.found
    undeclared = judged("P5", CONTRACT, flapping)
    assert undeclared.outcome is FAIL
    assert "probes.readiness_sheds_load" in undeclared.do


@pytest.mark.parametrize(
    "spells", [((-30, 15.2),), ((-30, 900),), ((-30, 2), (18, 19))], ids=["late", "for good", "again"]
)
def test_what_sheds_load_is_back_fifteen_seconds_after_it_and_stays(spells):
    found = judged("P5", SHEDS, overload(changes=shed(*spells, name="b")))
    assert found.outcome is FAIL
    assert "b was unready" in found.found


def test_the_slots_that_are_filled_after_the_light_load_may_be_shed_again():
    assert outcome("P5", overload(changes=shed((26, 40))), SHEDS) is PASS


@pytest.mark.parametrize(("back_s", "expected"), [(10.0, INCONCLUSIVE), (9.0, PASS)])
def test_a_quiet_time_of_less_than_fifteen_seconds_can_only_acquit(back_s, expected):
    seen = overload(changes=shed((-30, back_s)), recovery_s=(OVER_S[1] + 5, OVER_S[1] + 9.5))
    assert outcome("P5", seen, SHEDS) is expected


def test_shedding_load_excuses_no_restart():
    assert outcome("P5", overload(changes=(*shed((-30, 2)), restarted(70.0))), SHEDS) is FAIL


def test_the_window_follows_the_liveness_probe_of_the_servers_container():
    sidecar = {"name": "proxy", "livenessProbe": {"httpGet": {"path": "/", "port": 1}, "periodSeconds": 60}}
    two = {"containers": [sidecar, *SPEC["containers"]]}
    pods = tuple(Pod(name, "10.0.0.1", "node", name, two) for name in "ab")
    assert outcome("P5", overload(pods=pods), contract(container="server", limits={})) is PASS
    assert outcome("P5", overload(pods=pods), contract(limits={})) is INCONCLUSIVE


@pytest.mark.parametrize(("length_s", "expected"), [(31.9, INCONCLUSIVE), (32.1, PASS)])
def test_the_overload_lasts_twice_the_patience_of_liveness(length_s, expected):
    """Three failures five seconds apart and a timeout of one: 16 s, twice."""
    seen = overload(overload_s=(50.0, 50.0 + length_s))
    keep = (seen.ledger.load != seen.ledger.code(OVER)) | (seen.ledger.sent_s < 50.0 + length_s)
    assert outcome("P5", replace(seen, ledger=seen.ledger.select(keep))) is expected


def test_what_a_request_brings_down_that_is_to_fail_no_load_did():
    """After the light load some requests that fail are sent, where the contract has one: B5 judges what they do."""
    ends = (restarted(150.0), event(149.0, "Killing"), unready(151.0))

    def failing_at(at_s):
        rows = iter([request(FAILING, at_s)])
        return overload(changes=ends, change=lambda row: next(rows, row) if row["load"] == HOLD else row)

    assert outcome("P5", failing_at(148.0)) is PASS
    assert outcome("P5", failing_at(152.0)) is FAIL
    assert outcome("P5", overload(changes=ends)) is FAIL
