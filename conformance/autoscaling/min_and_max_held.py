"""Replicas stay between the declared minimum and maximum, and reach both ends when demand asks for more.

Source: Kubernetes, "Horizontal Pod Autoscaling"; contract `autoscaling.min` and `max`. Judged on every value that
`spec.replicas` of the Deployment ever had; pods that a rollout adds do not count.
"""

from collections.abc import Sequence

from seatrial.contract import Autoscaling
from seatrial.suite import check
from seatrial.trials.autoscaling import NO_LOAD, Scaling, judgeable, seen_syncs
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed
from seatrial.watch.autoscaler import ReplicaChange, autoscalers, replica_changes, unclamped


@check("A6", level="MUST", ablation=NO_LOAD)
def min_and_max_held(promise: Autoscaling, scaling: Scaling) -> Verdict:
    changes = scaling.timeline.changes
    names = autoscalers(changes, scaling.subject)
    values = replica_changes(changes, scaling.subject)
    syncs = seen_syncs(scaling)
    if not values or not syncs:
        return inconclusive(
            "the Deployment and an autoscaler of it that synchronises",
            f"{len(values)} values of spec.replicas, {len(names)} autoscalers",
            "see A1",
            n=0,
            blocked_by="A1",
        )
    facts = [f"{change.at_s - scaling.load_s:+.0f} s: spec.replicas {change.replicas}" for change in values]
    most = max(change.replicas for change in values)
    least = min(change.replicas for change in values_since(values, syncs[0].at_s))
    measured = [
        Measurement("largest spec.replicas", most, n=len(values), limit=f"<= {promise.max}"),
        Measurement("smallest spec.replicas", least, n=len(values), limit=f">= {promise.min}"),
    ]
    if len(names) > 1 or most > promise.max or least < promise.min:
        return failed(
            f"one autoscaler, and between {promise.min} and {promise.max} replicas",
            f"{len(names)} ({', '.join(names)}), between {least} and {most}",
            "render one HorizontalPodAutoscaler with the declared bounds, and no replicas beside it",
            n=len(values), measurements=measured, evidence=facts,
        )  # fmt: skip
    target = promise.cpu_percent
    judged = [sync for sync in syncs if judgeable(scaling, sync)]
    idle = [
        sync
        for sync in judged
        if sync.at_s <= scaling.load_s and sync.current * (sync.percent or 0) / target < promise.min
    ]
    over = [sync for sync in judged if unclamped(sync.current, sync.percent or 0, target) > promise.max]
    if not idle or not over:
        return inconclusive(
            f"a judgeable sync that asks for less than {promise.min}, and one that asks for more than {promise.max}",
            f"{len(idle)} and {len(over)}",
            "see A1; if it passed, correct cpu_s_per_request in the contract",
            n=len(judged), measurements=measured, evidence=facts,
        )  # fmt: skip
    if most < promise.max:
        return failed(
            f"{promise.max} replicas when more are asked for",
            f"at most {most}",
            "give the autoscaler the declared maximum",
            n=len(judged), measurements=measured, evidence=facts,
        )  # fmt: skip
    asked = max(unclamped(sync.current, sync.percent or 0, target) for sync in over)
    return passed(
        f"between {promise.min} and {promise.max} replicas, both reached, one autoscaler",
        f"between {least} and {most}, while the formula asked for up to {asked}",
        n=len(values),
        measurements=measured,
        evidence=facts,
        detects="any value of spec.replicas outside the bounds, idle and at most",
    )


def values_since(values: Sequence[ReplicaChange], at_s: float) -> list[ReplicaChange]:
    """From the value in force at at_s on."""
    started = [change for change in values if change.at_s <= at_s]
    return [*started[-1:], *(change for change in values if change.at_s > at_s)]
