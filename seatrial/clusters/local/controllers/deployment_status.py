"""What a Deployment says of itself: counts, and the conditions that `kubectl rollout status` and Helm wait for.

Pure functions. Source: kubernetes/pkg/controller/deployment, progress.go, sync.go and util/deployment_util.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.clusters.local.controllers.objects import Obj, condition, find_condition, seconds, without
from seatrial.clusters.local.controllers.rollout import max_unavailable, name_of, observed, replicas, total
from seatrial.clusters.local.store import timestamp

NEW_AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"
NO_DEADLINE = 2**31 - 1  # a deadline of this many seconds means none

COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas")


def counted(deployment: Obj, new: Obj | None, olds: Sequence[Obj], now_s: float) -> Obj:
    """The status with its counts and the Available condition; the other conditions are as they were.

    Counts of zero are left out, as Go's `omitempty` does.
    """
    everything = [*olds, *([new] if new is not None else [])]
    old_status = deployment.get("status") or {}
    available = sum(observed(found, "availableReplicas") for found in everything)
    counts = {
        "replicas": sum(observed(found, "replicas") for found in everything),
        "updatedReplicas": observed(new, "replicas") if new is not None else 0,
        "readyReplicas": sum(observed(found, "readyReplicas") for found in everything),
        "availableReplicas": available,
        "unavailableReplicas": max(total(everything) - available, 0),
    }
    status: Obj = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **{field: count for field, count in counts.items() if count},
        **({"collisionCount": old_status["collisionCount"]} if old_status.get("collisionCount") else {}),
    }
    enough = available >= replicas(deployment) - max_unavailable(deployment)
    status["conditions"] = changed(
        old_status.get("conditions") or [],
        "Available",
        "True" if enough else "False",
        "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        now_s,
    )
    return status


def changed(
    conditions: Sequence[Obj], type_: str, status: str, reason: str, message: str, now_s: float, *, renew: bool = False
) -> list[Obj]:
    """The conditions with this one; untouched if status and reason are the same, unless `renew`.

    lastUpdateTime is when it was last said, lastTransitionTime when its status last changed.
    """
    old = find_condition(conditions, type_)
    if old is not None and not renew and (old["status"], old["reason"]) == (status, reason):
        return list(conditions)
    now = timestamp(now_s)
    since = old["lastTransitionTime"] if old is not None and old["status"] == status else now
    new = {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": now,
        "lastTransitionTime": since,
    }
    return [*without(conditions, type_), new]


def deadline_s(deployment: Obj) -> int | None:
    """progressDeadlineSeconds; None if there is none."""
    deadline = deployment["spec"].get("progressDeadlineSeconds", 600)
    return None if deadline is None or deadline == NO_DEADLINE else int(deadline)


def is_complete(deployment: Obj, status: Obj) -> bool:
    """All replicas are of the current revision and available, and no others are left."""
    wanted = replicas(deployment)
    counts = [int(status.get(field) or 0) for field in ("updatedReplicas", "replicas", "availableReplicas")]
    return counts == [wanted] * 3 and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)


def judged(deployment: Obj, new: Obj | None, olds: Sequence[Obj], now_s: float) -> Obj:
    """The status amid or after a rollout: counts, Available, Progressing, ReplicaFailure."""
    status = counted(deployment, new, olds, now_s)
    conditions = status["conditions"]
    if deadline_s(deployment) is None:
        conditions = without(conditions, "Progressing")
    elif not _was_complete(deployment, status):
        conditions = _progress(deployment, status, new, now_s)
    status["conditions"] = _with_failures(conditions, new, olds, now_s)
    return status


def _was_complete(deployment: Obj, status: Obj) -> bool:
    # Once complete, a lost pod is not a stalled rollout: the deadline is not started again.
    progressing = condition(deployment, "Progressing")
    return (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and progressing is not None
        and progressing["reason"] == NEW_AVAILABLE
    )


def _progress(deployment: Obj, status: Obj, new: Obj | None, now_s: float) -> list[Obj]:
    conditions: list[Obj] = status["conditions"]
    who = f'Deployment "{name_of(deployment)}"' if new is None else f'ReplicaSet "{name_of(new)}"'
    if is_complete(deployment, status):
        message = f"{who} has successfully progressed."
        return changed(conditions, "Progressing", "True", NEW_AVAILABLE, message, now_s)
    if _progressed(deployment, status):
        message = f"{who} is progressing."
        return changed(conditions, "Progressing", "True", "ReplicaSetUpdated", message, now_s, renew=True)
    if _timed_out(deployment, now_s):
        message = f"{who} has timed out progressing."
        return changed(conditions, "Progressing", "False", TIMED_OUT, message, now_s)
    return conditions


def _progressed(deployment: Obj, status: Obj) -> bool:
    old = {field: observed(deployment, field) for field in COUNTS}
    new = {field: int(status.get(field) or 0) for field in COUNTS}
    fewer_old = new["replicas"] - new["updatedReplicas"] < old["replicas"] - old["updatedReplicas"]
    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return fewer_old or any(new[field] > old[field] for field in more)


def _timed_out(deployment: Obj, now_s: float) -> bool:
    progressing = condition(deployment, "Progressing")
    if progressing is None or progressing["reason"] == NEW_AVAILABLE:
        return False
    if progressing["reason"] == TIMED_OUT:
        return True
    return now_s > seconds(progressing["lastUpdateTime"]) + (deadline_s(deployment) or 0)


def deadline_in_s(deployment: Obj, status: Obj, now_s: float) -> float | None:
    """Seconds until the progress deadline must be looked at; None if nothing is awaited."""
    deadline = deadline_s(deployment)
    progressing = find_condition(status.get("conditions"), "Progressing")
    if deadline is None or progressing is None or is_complete(deployment, status):
        return None
    # RESUMED and PAUSED carry the deadline on only while the Deployment is not paused.
    if progressing["reason"] in (TIMED_OUT, PAUSED) or deployment["spec"].get("paused"):
        return None
    return max(seconds(progressing["lastUpdateTime"]) + deadline - now_s, 0.0) + 1.0


def _with_failures(conditions: list[Obj], new: Obj | None, olds: Sequence[Obj], now_s: float) -> list[Obj]:
    """The current revision's failure to make pods, or else the old ones', as the Deployment's own."""
    failures = [condition(found, "ReplicaFailure") for found in ([new] if new is not None else list(olds))]
    failures = failures if any(failures) else [condition(found, "ReplicaFailure") for found in olds]
    failure = next((found for found in failures if found), None)
    if failure is None:
        return without(conditions, "ReplicaFailure")
    return changed(
        conditions, "ReplicaFailure", failure["status"], failure["reason"], failure.get("message", ""), now_s
    )
