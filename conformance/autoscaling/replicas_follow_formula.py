"""Replicas follow CPU as the formula says: the autoscaler sees the subject's pods, and the target that was declared.

Source: Kubernetes, "Horizontal Pod Autoscaling": desired = ceil(current x metric / target), clamped; nothing within a
tolerance of 0.1. The controller is trusted; judged is what it was given. Only syncs count at which every pod has been
Ready for 45 s and has a metric, and nothing but the bounds held the autoscaler back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from seatrial.contract import Autoscaling
from seatrial.suite import check
from seatrial.trials.autoscaling import CALIBRATE, NO_LOAD, Scaling, judgeable, own_percent, seen_syncs
from seatrial.trials.idle_scaling import idle_percent
from seatrial.verdict import Ground, Measurement, Verdict
from seatrial.watch.autoscaler import TOLERANCE, Sync, autoscalers, on_edge, unclamped
from seatrial.watch.pods import living

REACTION_S = 75.0
CLEARLY = 0.02  # outside the tolerance by this
WANTED_CLEAR = 2
METRIC_WITHIN = 0.15
LOADED = 0.5  # of the target: below it, any two idle pods look alike
ANSWERED, CPU_RISE = 0.9, 3.0


@check("A1", level="MUST", ablation=NO_LOAD)
def replicas_follow_formula(promise: Autoscaling, scaling: Scaling) -> Verdict:
    if not any(reading.total_cores > 0 for reading in scaling.beacon):
        return Ground(n=0).inconclusive("CPU of the beacon from the metrics API", "none", "install metrics-server")
    if blind := unable(scaling):
        return blind
    if doubt := unloaded(promise, scaling):
        return doubt
    judged = [sync for sync in seen_syncs(scaling) if judgeable(scaling, sync)]
    ground = Ground(
        len(judged),
        tuple(measurements(promise, scaling, judged)),
        tuple(told(promise, scaling, sync) for sync in judged),
    )
    if late := unmoved(promise, scaling, ground):
        return late
    target = promise.cpu_percent
    for sync in judged:
        wanted = clamped(promise, sync)
        if sync.desired != wanted and not on_edge(sync.percent or 0, target):
            return ground.failed(
                f"{wanted} replicas for {sync.current} at {sync.percent}% of a target of {target}%",
                f"{sync.desired} desired",
                "let the autoscaler have the declared target, minimum and maximum, and no second metric",
            )
    clear = [sync for sync in judged if abs((sync.percent or 0) / target - 1) >= TOLERANCE + CLEARLY]
    counts = {sync.current for sync in clear}
    if len(counts) < WANTED_CLEAR:
        return ground.inconclusive(
            f"{WANTED_CLEAR} judgeable syncs clearly outside the tolerance, at different counts of pods",
            f"{len(clear)} of {len(judged)}, at {', '.join(map(str, sorted(counts))) or 'none'}",
            "run again; if it stays so, correct cpu_s_per_request in the contract",
        )
    compared = [agreement for sync in judged if (agreement := agrees(promise, scaling, sync)) is not None]
    if not compared:
        return Ground(n=len(judged)).inconclusive(
            "a reading of our own beside a sync under load",
            "none",
            "see whether the metrics API answers",
        )
    if sum(compared) * 2 <= len(compared):
        return ground.failed(
            f"the autoscaler's metric within {METRIC_WITHIN:.0%} of what the subject's pods use of what they ask for",
            f"at {sum(compared)} of {len(compared)} syncs under load",
            "let the Deployment's selector match its own pods only, and every container ask for its own CPU",
        )
    return ground.passed(
        f"at every judgeable sync the replicas of the formula at a target of {target}%, "
        f"more than {promise.min} within {REACTION_S:g} s",
        f"{len(judged)} of {len(judged)} syncs at {', '.join(map(str, sorted(counts)))} pods; "
        f"the metric is ours at {sum(compared)} of {len(compared)}",
        detects="another target, bounds, metric or set of pods than declared, where it would ask for other replicas",
    )


def unable(scaling: Scaling) -> Verdict | None:
    """An autoscaler that could not read its metric before the load began."""
    names = autoscalers(scaling.timeline.changes, scaling.subject)
    before = [sync for sync in seen_syncs(scaling) if sync.at_s <= scaling.load_s]
    if before and before[-1].active:
        return None
    conditions = before[-1].conditions if before else {}
    reason = next((f"{why}: {message}" for status, why, message in conditions.values() if status == "False"), "")
    reason = reason or (f"{', '.join(names)} never synchronised" if names else f"none targets {scaling.subject.name}")
    expected = "an autoscaler of the Deployment that reads its metric (ScalingActive) before the load"
    ground = Ground(n=max(1, len(before)))
    if names and (without := without_request(scaling)):
        told = f"container{'s' if len(without) > 1 else ''} {', '.join(without)}"
        asks = "ask" if len(without) > 1 else "asks"
        return ground.failed(expected, f"{told} {asks} for no CPU; {reason}", f"give {told} a CPU request")
    if names and (unread := without_reading(scaling)):
        told = ", ".join(unread)
        return ground.failed(
            expected,
            f"the metrics API has nothing of {told}; {reason}",
            f"see why the metrics API has no CPU of {told}: it tells of a pod only when it knows all its containers",
        )
    return ground.failed(
        expected, reason, "point scaleTargetRef at the Deployment, and give every container a CPU request"
    )


def without_request(scaling: Scaling) -> list[str]:
    """The containers of the subject's pods that ask for no CPU, sidecars among them: one is enough to blind it.

    Source: kubernetes/pkg/controller/podautoscaler/replica_calculator.go, calculatePodRequests.
    """
    containers = [container for pod in scaling.pods for container in counted_containers(pod.spec)]
    asked_for = {
        container["name"]: "cpu" in ((container.get("resources") or {}).get("requests") or {})
        for container in containers
    }
    return [name for name, asks in asked_for.items() if not asks]


def without_reading(scaling: Scaling) -> list[str]:
    """What the metrics API never told of: containers of pods that it knows, or else whole pods."""
    read: dict[str, set[str]] = {}
    for reading in scaling.readings:
        read.setdefault(reading.pod, set()).update(reading.cores)
    containers = [
        f"container {container['name']}"
        for pod in scaling.pods
        for container in counted_containers(pod.spec)
        if pod.name in read and container["name"] not in read[pod.name]
    ]
    return list(dict.fromkeys(containers)) or [f"pod {pod.name}" for pod in scaling.pods if pod.name not in read]


def counted_containers(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those whose requests an autoscaler adds up: the regular ones, and sidecars that are started before them."""
    before = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    return [*spec["containers"], *before]


def unloaded(promise: Autoscaling, scaling: Scaling) -> Verdict | None:
    """Why the load tells nothing, if it does not."""
    if not scaling.steps:
        return Ground(n=0).inconclusive("load in two steps", "none", "see the trial's messages")
    first = scaling.steps[0]
    rows = scaling.ledger.of(first.load)
    ended_s = scaling.steps[1].start_s if len(scaling.steps) > 1 else first.end_s
    due = rows.select(rows.scheduled_s < ended_s)
    offered = first.offered_rps * (ended_s - first.start_s)
    answered = int(due.right.sum())
    loaded = [reading.total_cores for reading in scaling.readings if reading.from_s > first.start_s]
    rise = max(loaded, default=0.0) / scaling.idle_cores if scaling.idle_cores > 0 else 0.0
    if answered < ANSWERED * offered and rise < CPU_RISE:
        return Ground(n=len(due)).inconclusive(
            f"{ANSWERED:.0%} of {offered:.0f} requests answered, or {CPU_RISE:g} times the idle CPU",
            f"{answered / offered:.0%} answered, {rise:.1f} times the CPU",
            "see why the service does not answer (P1)",
        )
    return None


def unmoved(promise: Autoscaling, scaling: Scaling, ground: Ground) -> Verdict | None:
    """A first step that nothing came of, or late."""
    start_s = scaling.steps[0].start_s
    before = [sync for sync in seen_syncs(scaling) if sync.at_s <= start_s]
    if before[-1].desired > promise.min:
        if busy := idle_percent(scaling, promise.cpu_percent, before[-1].container):
            return Ground(n=len(before)).failed(
                f"{promise.min} replicas while nothing is asked of them",
                f"{before[-1].desired} desired: an idle replica uses {busy:.0f}% of the CPU that it asks for, "
                f"and the target is {promise.cpu_percent}%",
                "let pods ask for more CPU than they use without a request, or stop what is busy there",
            )
        return Ground(n=len(before)).inconclusive(
            f"{promise.min} replicas until the load",
            f"{before[-1].desired} desired before it",
            "see what else loads the service; cpu_s_per_request may be declared too low",
        )
    all_seen = replace(ground, n=len(seen_syncs(scaling)))
    rises_s = [sync.at_s - start_s for sync in seen_syncs(scaling) if sync.desired > promise.min]
    rose_s = next((rise_s for rise_s in rises_s if rise_s > 0), None)
    load = f"{scaling.steps[0].carried:g} times the load that one carries"
    expected = f"more than {promise.min} replicas desired within {REACTION_S:g} s of {load}"
    if rose_s is None:
        last = seen_syncs(scaling)[-1]
        return all_seen.failed(
            expected,
            f"{last.desired}, at {last.percent}% of a target declared as {promise.cpu_percent}%",
            "let the autoscaler have the declared target, and see that what it averages is the server's own CPU",
        )
    if rose_s > REACTION_S:
        return replace(ground, n=1).inconclusive(
            expected,
            f"after {rose_s:.0f} s",
            "run again: one late reaction may be the cluster's",
        )
    if strangers := foreign(scaling):
        return all_seen.failed(
            "every pod that the autoscaler counts made by the subject's Deployment",
            strangers,
            "point scaleTargetRef at the subject",
        )
    return None


def foreign(scaling: Scaling) -> str:
    """More replicas counted than the subject has pods, at the end; "" if they are its own."""
    last = seen_syncs(scaling)[-1]
    own = living([change for change in scaling.timeline.changes if change.at_s <= last.at_s], scaling.subject)
    return f"{last.current} counted, {len(own)} of {scaling.subject.name}" if len(own) < last.current else ""


def clamped(promise: Autoscaling, sync: Sync) -> int:
    """The formula between the declared bounds."""
    return min(max(unclamped(sync.current, sync.percent or 0, promise.cpu_percent), promise.min), promise.max)


def agrees(promise: Autoscaling, scaling: Scaling, sync: Sync) -> bool | None:
    """The metric is what we read ourselves, in one of the last samples; None where there is nothing to compare."""
    if sync.at_s < scaling.steps[0].start_s or (sync.percent or 0) < LOADED * promise.cpu_percent:
        return None
    own = own_percent(scaling, sync)
    return any(abs((sync.percent or 0) - each) <= METRIC_WITHIN * each + 1 for each in own) if own else None


def told(promise: Autoscaling, scaling: Scaling, sync: Sync) -> str:
    """One sync as a sentence."""
    own = " or ".join(f"{each:.0f}%" for each in own_percent(scaling, sync)) or "nothing"
    return (
        f"{sync.at_s - scaling.load_s:+.0f} s: {sync.current} pods at {sync.percent}% (ours {own}), "
        f"{sync.desired} desired, {clamped(promise, sync)} by the formula"
    )


def measurements(promise: Autoscaling, scaling: Scaling, judged: list[Sync]) -> Iterator[Measurement]:
    """What this rests on."""
    yield Measurement(
        "CPU per request",
        scaling.cpu_s_per_request,
        "s",
        n=len(scaling.ledger.of(CALIBRATE)),
        limit=f"declared {promise.cpu_s_per_request:g} s",
    )
    yield Measurement("CPU of an idle replica", scaling.idle_cores, "cores")
    yield Measurement("judgeable syncs", len(judged), "", n=len(seen_syncs(scaling)))
