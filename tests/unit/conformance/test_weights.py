"""P2 on made-up releases without their weights: what passes, what fails, and what says nothing."""

from dataclasses import replace

import pytest

from seatrial.observation import Change
from seatrial.trials.weights import ASKED, KINDS, POLLED, REPAIRED, BrokenWeights, Side
from seatrial.verdict import Outcome
from tests.helpers.observations import common, contract, judged, lost, pod_change, row, wrong

PROMISE = {"missing": {"a": 1}, "truncated": {"a": 2}, "names": "WEIGHTS_FROM"}
READINESS = {"httpGet": {"path": "/ready", "port": 8080}}
SERVER = {"name": "server", "env": [{"name": "WEIGHTS_FROM", "value": "nowhere"}], "readinessProbe": READINESS}
SPEC = {"containers": [SERVER]}
PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
STARTED_S, REPAIRED_S = 5.0, 66.0


def promised(**changed):
    return contract(weights={**PROMISE, **changed}, probes={"readiness": True})


def endpoint(at_s, pod, namespace, ready):
    item = {
        "metadata": {"name": "subject", "namespace": namespace},
        "endpoints": [{"targetRef": {"name": pod}, "conditions": {"ready": ready}}],
    }
    return Change(at_s, "EndpointSlice", "MODIFIED", "subject", item)


def refused(load, count, period_s, side):
    return [lost(row(load, STARTED_S + n * period_s, group=side), "refused") for n in range(count)]


def broken(extra=(), rows=(), *, ready_s=(72.0, 72.0), polls=240, cases=60, **changed):
    """Both sides refuse everything for a minute, and are Ready six seconds after the repair."""
    changes, sent, sides = list(extra), list(rows), []
    for index, kind in enumerate(KINDS):
        pod, namespace, ready = f"{kind}-1", f"ns-{kind}", ready_s[index]
        changes += [pod_change(STARTED_S, pod, ready=False, namespace=namespace), endpoint(6, pod, namespace, False)]
        sent += refused(POLLED, polls, 0.25, index) + refused(ASKED, cases, 1.0, index)
        if ready is not None:
            changes.append(pod_change(ready, f"{kind}-2", namespace=namespace))
            sent += [row(REPAIRED, ready + n * 0.1, group=index) for n in range(16)]
        sides.append(Side(kind, index, namespace, pod, SPEC, STARTED_S, 65.5, REPAIRED_S, ready))
    seen = BrokenWeights(
        **common(sent, sorted(changes, key=lambda change: change.at_s)),
        sides=tuple(sides),
        install_s=12.0,
        window_s=60.0,
        repair_within_s=30.0,
    )
    return replace(seen, **changed)


def side_with(index, **changed):
    seen = broken()
    sides = [replace(side, **changed) if side.index == index else side for side in seen.sides]
    return replace(seen, sides=tuple(sides))


def test_refusing_until_the_repair_passes():
    verdict = judged("P2", promised(), broken())
    assert (verdict.outcome, verdict.n) == (PASS, 600)


def test_running_and_answering_503_passes():
    seen = broken(rows=[wrong(row(POLLED, 30, group=0), "", 503), wrong(row(ASKED, 30, group=1), "{}", 500)])
    assert judged("P2", promised(), seen).outcome == PASS


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (broken(extra=[pod_change(40, "missing-1", namespace="ns-missing")]), "missing-1 Ready 35.0 s"),
        (broken(extra=[pod_change(8, "truncated-1", namespace="ns-truncated")]), "truncated-1 Ready"),
        (broken(extra=[endpoint(50, "missing-1", "ns-missing", True)]), "a ready endpoint"),
        (broken(rows=[{**row(POLLED, 64, group=1), "correct": -1}]), "readiness probes 2xx"),
        (broken(rows=[{**row(POLLED, 64, group=0), "correct": -1, "status": 204}]), "readiness probes 2xx"),
        (
            broken(rows=[wrong(row(ASKED, 30, group=0), '{"answer": "nonsense"}')]),
            "cases answered 200, 0 of them right",
        ),
        (broken(rows=[row(ASKED, 30, group=1)]), "1 of them right"),
    ],
    ids=["Ready late", "Ready", "endpoint", "readiness", "readiness 204", "nonsense", "right answer"],
)
def test_any_sign_of_life_without_whole_weights_fails(seen, said):
    verdict = judged("P2", promised(), seen)
    assert verdict.outcome == FAIL
    assert said in verdict.found


@pytest.mark.parametrize(
    ("ready_s", "outcome"),
    [
        ((96.0, 96.0), PASS),
        ((97.0, 72.0), INCONCLUSIVE),
        ((97.0, 98.0), FAIL),
        ((None, 72.0), FAIL),
        ((72.0, None), FAIL),
        ((None, None), FAIL),
    ],
)
def test_ready_has_to_follow_the_repair_soon(ready_s, outcome):
    """One late side may be the cluster's doing; two, or one that never comes, are the service's."""
    assert judged("P2", promised(), broken(ready_s=ready_s)).outcome == outcome


@pytest.mark.parametrize(
    "seen",
    [
        side_with(0, started_s=None),
        side_with(1, spec={"containers": []}),
        side_with(0, watched_until_s=50.0),
        broken(polls=100),
        broken(cases=30),
        broken(install_s=0.0),
        broken(sides=broken().sides[:1]),
        broken(sides=()),
        BrokenWeights(**common(), window_s=60.0, install_s=10.0),
    ],
    ids=[
        "never started",
        "not named",
        "cut short",
        "few polls",
        "few cases",
        "no install",
        "one side",
        "none",
        "empty",
    ],
)
def test_without_its_preconditions_p2_says_nothing(seen):
    assert judged("P2", promised(), seen).outcome == INCONCLUSIVE


def test_wrong_answers_after_the_repair_leave_the_cause_open():
    seen = broken(rows=[wrong(row(REPAIRED, 73, group=0), "{}", 500)])
    verdict = judged("P2", promised(), seen)
    assert (verdict.outcome, verdict.blocked_by) == (INCONCLUSIVE, "P1")


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{**SERVER, "readinessProbe": {"tcpSocket": {"port": 8080}}}]},
        {"containers": [SERVER, {"name": "engine", "readinessProbe": READINESS}]},
    ],
)
def test_no_polls_are_wanted_where_no_http_probe_decides_whether_the_pod_is_ready(spec):
    seen = broken(polls=0)
    sides = tuple(replace(side, spec=spec) for side in seen.sides)
    assert judged("P2", promised(), replace(seen, sides=sides)).outcome == PASS
    assert judged("P2", promised(), seen).outcome == INCONCLUSIVE
