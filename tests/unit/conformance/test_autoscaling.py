"""A1 and A6 on a made-up autoscaler: idle at one pod, two steps of load, three pods."""

from dataclasses import replace

import pytest

from seatrial.ledger import ledger
from seatrial.observation import Change, Pod
from seatrial.trials.autoscaling import CALIBRATE, Scaling, Step, judgeable, seen_syncs
from seatrial.verdict import Outcome
from seatrial.watch.autoscaler import unclamped
from seatrial.watch.cpu import CpuReading, cores, seconds
from tests.helpers.observations import common, contract, judged, pod_change, row

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
ABLE = {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": ""}
ACTIVE = {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": ""}
INACTIVE = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "no request"}
LIMITED = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas", "message": ""}
HELD = {"type": "AbleToScale", "status": "True", "reason": "ScaleDownStabilized", "message": ""}
# seconds, pods, percent of request, desired: a run as a real cluster shows it
RUN = (
    (60, 1, 6, 1),
    (75, 1, 7, 1),
    (140, 1, 26, 1),
    (155, 1, 70, 2),
    (170, 2, 41, 2),
    (185, 2, 39, 2),
    (200, 2, 40, 2),
    (215, 2, 41, 2),
    (230, 2, 100, 3),
    (245, 3, 74, 3),
    (290, 3, 75, 3),
    (305, 3, 76, 3),
)
PODS = ((10, "a"), (160, "b"), (235, "c"))
LOAD_S, SECOND_S, END_S = 125.0, 222.0, 320.0


def promised(**changed):
    overlay = {"min": 1, "max": 3, "cpu_percent": 50, "cpu_s_per_request": 0.02, "overlay": "hpa.yaml"}
    return contract(autoscaling={**overlay, **changed})


def autoscaler(at_s, pods, percent, desired, *, name="subject", target="subject", conditions=(ABLE, ACTIVE)):
    current = [] if percent is None else [{"type": "Resource", "resource": metric(percent)}]
    item = {
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": target}, "minReplicas": 1, "maxReplicas": 3},
        "status": {
            "currentReplicas": pods,
            "desiredReplicas": desired,
            "currentMetrics": current,
            "conditions": list(conditions),
        },
    }
    return Change(at_s, "HorizontalPodAutoscaler", "MODIFIED", name, item)


def metric(percent):
    return {"name": "cpu", "current": {"averageUtilization": percent}}


def deployment(at_s, replicas):
    item = {"metadata": {"name": "subject", "namespace": "ns"}, "spec": {"replicas": replicas}}
    return Change(at_s, "Deployment", "MODIFIED", "subject", item)


def replica_set(owner="subject"):
    item = {"metadata": {"name": "subject-1", "ownerReferences": [{"kind": "Deployment", "name": owner}]}}
    return Change(5, "ReplicaSet", "ADDED", "subject-1", item)


def scaled(
    run=RUN, *, replicas=((5, 1), (155, 2), (230, 3)), pods=PODS, extra=(), own=None, owner="subject", **changed
):
    """The run, with our own readings every five seconds; `own` maps the autoscaler's percent to ours."""
    changes = [replica_set(owner), *(deployment(*each) for each in replicas), *extra]
    changes += [autoscaler(*each) for each in run]
    changes += [pod_change(at_s, name) for at_s, name in pods]
    own = own or (lambda percent: percent)
    readings = []
    for at_s, count, percent, _ in run:
        for at in (at_s - 8, at_s - 3):
            for _, name in pods[:count]:
                used = {"server": own(percent or 0) / 100 * 0.1}
                readings.append(CpuReading(at, "ns", name, at - 4, 15.0, used))
    requests = [row("step-1", LOAD_S + n * 0.25) for n in range(int((END_S - LOAD_S) * 4))]
    requests += [row("step-2", SECOND_S + n * 0.1) for n in range(980)] + [row(CALIBRATE, 90 + n) for n in range(30)]
    seen = Scaling(
        **common(requests, sorted(changes, key=lambda change: change.at_s)),
        load_s=LOAD_S,
        cpu_request_cores=0.1,
        idle_cores=0.006,
        cpu_s_per_request=0.019,
        steps=(Step("step-1", 1.6, 4.0, LOAD_S, END_S), Step("step-2", 4.5, 10.0, SECOND_S, END_S)),
        readings=tuple(readings),
        beacon=(CpuReading(60, "harness", "beacon", 58, 15.0, {"beacon": 0.004}),),
    )
    return replace(seen, **changed)


def changed_sync(at_s, **with_):
    """The run with one sync otherwise."""
    names = ("at", "pods", "percent", "desired")
    return tuple(
        tuple({**dict(zip(names, each, strict=True)), **with_}.values()) if each[0] == at_s else each for each in RUN
    )


def test_replicas_by_the_formula_pass():
    verdict = judged("A1", promised(), scaled())
    assert (verdict.outcome, verdict.n) == (PASS, 7)


def test_both_bounds_held_and_reached_pass():
    verdict = judged("A6", promised(), scaled())
    assert (verdict.outcome, verdict.n) == (PASS, 3)


def test_only_syncs_with_every_pod_ready_for_long_are_judged():
    """Those after a change of count, or with a pod Ready for less than 45 s, are recorded and no more."""
    seen = scaled()
    assert [sync.at_s for sync in seen_syncs(seen) if judgeable(seen, sync)] == [75, 140, 155, 215, 230, 290, 305]


@pytest.mark.parametrize(
    ("current", "percent", "wanted"),
    [(1, 80, 2), (2, 40, 2), (2, 45, 2), (2, 55, 2), (2, 56, 3), (3, 75, 5), (1, 6, 1)],
)
def test_the_formula(current, percent, wanted):
    """At a target of 50 %, with a tolerance of a tenth on either side."""
    assert unclamped(current, percent, 50) == wanted


def blind(*conditions):
    return [autoscaler(60, 1, None, 0, conditions=conditions)]


def never_moved(percent):
    return tuple((at_s, 1, min(each, percent), 1) for at_s, _, each, _ in RUN)


@pytest.mark.parametrize(
    ("promise", "seen", "said"),
    [
        (promised(), scaled((), extra=blind(ABLE, INACTIVE), steps=()), "FailedGetResourceMetric"),
        (promised(), scaled((), extra=[autoscaler(60, 1, 6, 1, target="other")], steps=()), "none targets subject"),
        (promised(), scaled((), steps=()), "none targets subject"),
        (promised(), scaled(tuple((s, 1, p, 1) for s, _, p, _ in RUN), replicas=((5, 1),), pods=PODS[:1]), "1, at 76%"),
        (promised(), scaled(never_moved(16), replicas=((5, 1),), pods=PODS[:1]), "1, at 16%"),
        (promised(), scaled(changed_sync(290, desired=4)), "4 desired"),
        (promised(max=2), scaled(), "3 desired"),
        (promised(cpu_percent=30), scaled(), "desired"),
        (promised(), scaled(own=lambda percent: percent * 2), "at 0 of"),
        (promised(), scaled(owner="other"), "0 of subject"),
    ],
    ids=[
        "no request", "wrong target", "no autoscaler", "ten times the target", "diluted by a sidecar", "another bound",
        "another maximum", "another target", "others counted", "another workload scaled",
    ],
)  # fmt: skip
def test_replicas_otherwise_fail(promise, seen, said):
    verdict = judged("A1", promise, seen)
    assert verdict.outcome == FAIL
    assert said in verdict.found


def pod_of(**requests):
    """Pod a; of each container, what it asks for."""
    containers = [{"name": name, "resources": {"requests": asked}} for name, asked in requests.items()]
    return Pod("a", "10.0.0.1", "node", "a", {"containers": containers})


def blinded(**changed):
    return scaled((), extra=blind(ABLE, INACTIVE), steps=(), **changed)


def test_the_container_that_asks_for_no_cpu_is_named():
    seen = replace(blinded(), pods=(pod_of(server={"cpu": "100m"}, shipper={"memory": "1Mi"}),))
    verdict = judged("A1", promised(), seen)
    assert verdict.found == "container shipper asks for no CPU; FailedGetResourceMetric: no request"
    assert verdict.do == "give container shipper a CPU request"


def test_a_sidecar_that_is_started_before_the_others_counts():
    spec = {
        "containers": [{"name": "server", "resources": {"requests": {"cpu": "1"}}}],
        "initContainers": [{"name": "proxy", "restartPolicy": "Always"}, {"name": "copy"}],
    }
    seen = replace(blinded(), pods=(Pod("a", "10.0.0.1", "node", "a", spec),))
    assert judged("A1", promised(), seen).do == "give container proxy a CPU request"


@pytest.mark.parametrize(
    ("readings", "named"),
    [((), "pod a"), ((CpuReading(70, "ns", "a", 68, 15.0, {"server": 0.1}),), "container shipper")],
    ids=["nothing of the pod", "one container of it"],
)
def test_what_the_metrics_api_does_not_tell_of_is_named(readings, named):
    asked = {"cpu": "100m"}
    seen = replace(blinded(), pods=(pod_of(server=asked, shipper=asked),), readings=readings)
    verdict = judged("A1", promised(), seen)
    assert verdict.found.startswith(f"the metrics API has nothing of {named};")
    assert named in verdict.do


@pytest.mark.parametrize("desired", [2, 3])
def test_the_very_edge_of_the_tolerance_is_not_judged(desired):
    """Versions of Kubernetes differ by a rounding error there."""
    replicas = ((5, 1), (155, 2), (215, desired), (230, 3))
    assert (
        judged("A1", promised(), scaled(changed_sync(215, percent=55, desired=desired), replicas=replicas)).outcome
        == PASS
    )


@pytest.mark.parametrize(
    "seen",
    [
        scaled(beacon=()),
        scaled(steps=()),
        replace(scaled(idle_cores=0.9), ledger=ledger([])),
        scaled(
            tuple((s + 60 if s >= 155 else s, c, p, d) for s, c, p, d in RUN), replicas=((5, 1), (215, 2), (290, 3))
        ),
        scaled(RUN[:5]),
        scaled(tuple((s, c, 50, c) if c > 1 else (s, c, p, d) for s, c, p, d in RUN)),
        scaled(readings=()),
        scaled(changed_sync(75, desired=2)[:2] + RUN[3:]),
    ],
    ids=[
        "no metrics API", "no load", "not answered", "late", "no sync at two", "within tolerance", "no readings",
        "more before the load",
    ],
)  # fmt: skip
def test_without_its_preconditions_a1_says_nothing(seen):
    assert judged("A1", promised(), seen).outcome == INCONCLUSIVE


def busy(when_loaded):
    """More than one replica before the load; our own readings say so much, and that when the light load is there."""
    seen = scaled(((60, 1, 58, 2), (75, 2, 60, 2), (140, 2, 61, 3), *RUN[3:]), replicas=((5, 1), (60, 2), (230, 3)))
    light = 90 + 15
    readings = (
        replace(reading, cores={"server": 0.1 * when_loaded / 100}) if reading.to_s >= light else reading
        for reading in [*seen.readings, CpuReading(115, "ns", "a", 110, 15.0, {"server": 0.06})]
    )
    return replace(seen, readings=tuple(readings))


def test_a_service_that_is_busy_without_a_request_never_comes_down_to_the_fewest():
    verdict = judged("A1", promised(), busy(when_loaded=63))
    assert verdict.outcome == FAIL
    assert verdict.found == "2 desired: an idle replica uses 59% of the CPU that it asks for, and the target is 50%"


def test_a_service_that_was_busy_as_it_started_has_no_fault():
    """The autoscaler keeps its replicas for 300 s, and our readings say that there is no more to do."""
    verdict = judged("A1", promised(), busy(when_loaded=26))
    assert (verdict.outcome, verdict.found) == (INCONCLUSIVE, "2 desired before it")


def test_more_than_the_most_is_asked_for_though_even_more_was_a_moment_before():
    """A new pod's start counts at first, and the window for scaling down remembers what was asked for then."""
    late = [
        autoscaler(at_s, 3, percent, 3, conditions=(HELD, ACTIVE, LIMITED)) for at_s, percent in ((290, 58), (305, 62))
    ]
    seen = scaled((*RUN[:8], (230, 2, 73, 3), (245, 3, 88, 3)), extra=late)
    readings = [
        CpuReading(at_s + before_s, "ns", name, at_s + before_s - 1, 15.0, {"server": 0.06})
        for at_s in (290, 305)
        for before_s in (-8, -3)
        for _, name in PODS
    ]
    verdict = judged("A6", promised(), replace(seen, readings=(*seen.readings, *readings)))
    assert (verdict.outcome, verdict.found) == (
        PASS,
        "between 1 and 3, while the formula asked for up to 4",
    )


def test_a_busy_sidecar_that_asks_for_its_own_cpu_is_not_held_against_the_server():
    """A pod that asks for 0.4 CPU and uses 0.06 is far below the target, whatever the server's own share is."""
    seen = busy(when_loaded=63)
    changes = tuple(
        replace(change, object=with_sidecar(change.object)) if change.kind == "Pod" else change
        for change in seen.timeline.changes
    )
    verdict = judged("A1", promised(), replace(seen, timeline=replace(seen.timeline, changes=changes)))
    assert (verdict.outcome, verdict.found) == (INCONCLUSIVE, "2 desired before it")


def with_sidecar(pod):
    sidecar = {"name": "proxy", "resources": {"requests": {"cpu": "300m"}}}
    return {**pod, "spec": {**pod["spec"], "containers": [*pod["spec"]["containers"], sidecar]}}


def test_a_policy_that_holds_the_autoscaler_back_is_named():
    policy = {"type": "ScalingLimited", "status": "True", "reason": "ScaleUpLimit", "message": ""}
    times = ((230, 94), (245, 95), (260, 96))
    held = [autoscaler(at_s, 2, percent, 2, conditions=(ABLE, ACTIVE, policy)) for at_s, percent in times]
    verdict = judged("A6", promised(), scaled(RUN[:8], replicas=((5, 1), (155, 2)), extra=held))
    assert verdict.outcome == INCONCLUSIVE
    assert "3 that a policy for scaling up (ScaleUpLimit) held back, the last at 2 replicas and 96%" in verdict.found


def test_a_sync_held_back_by_a_window_is_not_judged():
    held = [autoscaler(310, 3, 20, 3, conditions=(HELD, ACTIVE))]
    assert judged("A1", promised(), scaled(extra=held)).outcome == PASS


def test_a_sync_held_back_by_the_maximum_is_judged():
    limited = [autoscaler(310, 3, 80, 2, conditions=(ABLE, ACTIVE, LIMITED))]
    assert judged("A1", promised(), scaled(extra=limited)).outcome == FAIL


@pytest.mark.parametrize(
    "seen",
    [
        scaled(replicas=((5, 1), (155, 2), (230, 5))),
        scaled(replicas=((5, 8), (50, 1), (155, 2), (230, 3))),
        scaled(replicas=((5, 1), (155, 2), (230, 3), (300, 0))),
        scaled(replicas=((5, 1), (155, 2))),
        scaled(extra=[autoscaler(61, 1, 6, 1, name="another")]),
    ],
    ids=["maximum ignored", "more rendered", "below the minimum", "maximum not reached", "two autoscalers"],
)
def test_a_bound_that_is_not_held_fails(seen):
    assert judged("A6", promised(), seen).outcome == FAIL


def test_a_promise_of_two_is_not_held_by_one_however_quiet_it_is():
    quiet = ((60, 2, 3, 2), (75, 2, 3, 1), (140, 1, 26, 1), (155, 1, 70, 2), *RUN[4:])
    seen = scaled(quiet, replicas=((5, 2), (75, 1), (155, 2), (230, 3)), pods=((10, "a"), (11, "b"), (235, "c")))
    assert judged("A6", promised(min=2), seen).outcome == FAIL
    assert "between 1 and 3" in judged("A6", promised(min=2), seen).found


def test_an_autoscaler_that_counts_an_idle_stranger_does_not_follow_the_formula():
    """Half the metric over twice the pods: it asks for the right number, but by a metric that is not the subject's."""
    shared = tuple((at_s, pods, percent * pods // (pods + 1), desired) for at_s, pods, percent, desired in RUN)
    assert judged("A1", promised(), scaled(shared, own=lambda percent: 2 * percent)).outcome == FAIL


@pytest.mark.parametrize(
    "seen",
    [
        scaled((), steps=()),
        scaled(RUN[2:]),
        scaled(RUN[:8]),
        scaled(tuple((s, c, min(p, 48), d) for s, c, p, d in RUN)),
        scaled(replicas=()),
        Scaling(**common()),
    ],
    ids=["no autoscaler", "no idle sync", "no second step", "never asked for more", "no Deployment", "empty"],
)
def test_without_its_preconditions_a6_says_nothing(seen):
    assert judged("A6", promised(), seen).outcome == INCONCLUSIVE


def test_a1_never_passes_on_nothing():
    assert judged("A1", promised(), Scaling(**common())).outcome == INCONCLUSIVE


@pytest.mark.parametrize(("text", "value_s"), [("15.021s", 15.021), ("1m0s", 60.0), ("500ms", 0.5), ("15s", 15.0)])
def test_a_window_is_read_as_go_writes_it(text, value_s):
    assert seconds(text) == pytest.approx(value_s)


@pytest.mark.parametrize(("text", "value"), [("250m", 0.25), ("2", 2.0), ("12345678n", 0.012345678)])
def test_cores_are_read_as_kubernetes_writes_them(text, value):
    assert cores(text) == pytest.approx(value)
