"""Replicas stay between the declared minimum and maximum, and reach both ends when demand asks for more.

Source: Kubernetes, "Horizontal Pod Autoscaling"; contract `autoscaling.min` and `max`. Judged on every value that
`spec.replicas` of the Deployment ever had; pods that a rollout adds do not count.
"""

from collections.abc import Sequence
from dataclasses import replace

from seatrial.contract import Autoscaling
from seatrial.suite import check
from seatrial.trials.autoscaling import NO_LOAD, Scaling, judgeable, seen_syncs, settled
from seatrial.verdict import Ground, Measurement, Verdict
from seatrial.watch.autoscaler import ReplicaChange, Sync, autoscalers, replica_changes, unclamped


@check("A6", level="MUST", ablation=NO_LOAD)
def min_and_max_held(promise: Autoscaling, scaling: Scaling) -> Verdict:
    changes = scaling.timeline.changes
    names = autoscalers(changes, scaling.subject)
    values = replica_changes(changes, scaling.subject)
    syncs = seen_syncs(scaling)
    most = max((change.replicas for change in values), default=0)
    if not values or (not syncs and len(names) < 2 and most <= promise.max):
        return Ground(n=0).inconclusive(
            "the Deployment and an autoscaler of it that synchronises",
            f"{len(values)} values of spec.replicas, {len(names)} autoscalers",
            "see A1",
            blocked_by="A1",
        )
    facts = [f"{change.at_s - scaling.load_s:+.0f} s: spec.replicas {change.replicas}" for change in values]
    ground = Ground(n=len(values), evidence=tuple(facts))
    since_s = syncs[0].at_s if syncs else values[-1].at_s
    least = min(change.replicas for change in values_since(values, since_s))
    ground = ground.with_(
        measurements=[
            Measurement("largest spec.replicas", most, n=len(values), limit=f"<= {promise.max}"),
            Measurement("smallest spec.replicas", least, n=len(values), limit=f">= {promise.min}"),
        ]
    )
    if len(names) > 1 or most > promise.max or (syncs and least < promise.min):
        return ground.failed(
            f"one autoscaler, and between {promise.min} and {promise.max} replicas",
            f"{len(names)} ({', '.join(names)}), between {least} and {most}",
            "render one HorizontalPodAutoscaler with the declared bounds, and no replicas beside it",
        )
    target = promise.cpu_percent
    judged = [sync for sync in syncs if judgeable(scaling, sync)]
    idle = [
        sync
        for sync in judged
        if sync.at_s <= scaling.load_s and sync.current * (sync.percent or 0) / target < promise.min
    ]
    # Pods that have just started let the formula ask for more than a moment later; what is asked for then is enough.
    kept_up = [sync for sync in syncs if sync.kept_up and settled(scaling, sync)]
    over = [sync for sync in kept_up if unclamped(sync.current, sync.percent or 0, target) > promise.max]
    counted = replace(ground, n=len(judged))
    if idle and not over and (held := held_back(syncs, target, promise.max)):
        return counted.inconclusive(
            f"a sync that asks for more than {promise.max}, and that only the maximum holds back",
            held,
            "let behavior.scaleUp allow more pods a minute, or put the autoscaler on trial without that policy",
        )
    if not idle or not over:
        return counted.inconclusive(
            f"a judgeable sync that asks for less than {promise.min}, and one that asks for more than {promise.max}",
            f"{len(idle)} and {len(over)}",
            "see A1; if it passed, correct cpu_s_per_request in the contract",
        )
    if most < promise.max:
        return counted.failed(
            f"{promise.max} replicas when more are asked for",
            f"at most {most}",
            "give the autoscaler the declared maximum",
        )
    asked = max(unclamped(sync.current, sync.percent or 0, target) for sync in over)
    return ground.passed(
        f"between {promise.min} and {promise.max} replicas, both reached, one autoscaler",
        f"between {least} and {most}, while the formula asked for up to {asked}",
        detects="any value of spec.replicas outside the bounds, idle and at most",
    )


def values_since(values: Sequence[ReplicaChange], at_s: float) -> list[ReplicaChange]:
    """From the value in force at at_s on."""
    started = [change for change in values if change.at_s <= at_s]
    return [*started[-1:], *(change for change in values if change.at_s > at_s)]


def held_back(syncs: Sequence[Sync], target: float, most: int) -> str:
    """The syncs that a policy for scaling up kept below what the formula asks for, as a sentence; "" without any."""
    limited = [
        sync
        for sync in syncs
        if sync.current < most < unclamped(sync.current, sync.percent or 0, target)
        and any(reason == "ScaleUpLimit" for _, reason, _ in sync.conditions.values())
    ]
    if not limited:
        return ""
    last = limited[-1]
    return (
        f"{len(limited)} that a policy for scaling up (ScaleUpLimit) held back, the last at {last.current} replicas "
        f"and {last.percent}% of a target of {target:g}%"
    )
