"""What a Job should do next: run pods, wait, or end.

Pure functions. Source: kubernetes/pkg/controller/job, job_controller.go and backoff_utils.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from seatrial.clusters.local.controllers.objects import Obj, find_condition, is_active, phase_of, restarts, seconds

FIRST_BACKOFF_S = 10.0
LAST_BACKOFF_S = 600.0
INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass(slots=True)
class Finished:
    """The finished pods of one Job, by uid, also of those that are long deleted."""

    succeeded: dict[str, int | None] = field(default_factory=dict)  # uid to completion index
    failed: dict[str, float] = field(default_factory=dict)  # uid to when it failed, seconds since the epoch

    def add(self, pod: Obj, *, gone: bool, now_s: float) -> None:
        """Count a pod if it has ended; one that vanished without an end has failed."""
        uid = pod["metadata"]["uid"]
        if uid in self.succeeded or uid in self.failed:
            return
        if phase_of(pod) == "Succeeded":
            self.succeeded[uid] = index_of(pod)
        elif phase_of(pod) == "Failed" or gone:
            self.failed[uid] = _ended_s(pod, now_s)

    def completions(self, spec: Obj) -> int:
        """Successes that count: of an Indexed Job one per index."""
        if not is_indexed(spec):
            return len(self.succeeded)
        return len(self.indexes(spec))

    def indexes(self, spec: Obj) -> set[int]:
        found = {index for index in self.succeeded.values() if index is not None}
        return {index for index in found if index < (spec.get("completions") or 0)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a Job ends."""

    outcome: Literal["Complete", "Failed"]
    reason: str
    message: str


def is_indexed(spec: Obj) -> bool:
    return bool(spec.get("completionMode") == "Indexed")


def index_of(pod: Obj) -> int | None:
    text = (pod["metadata"].get("annotations") or {}).get(INDEX)
    return int(text) if text is not None else None


def _ended_s(pod: Obj, now_s: float) -> float:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    ended = [seconds(((found.get("state") or {}).get("terminated") or {}).get("finishedAt")) for found in statuses]
    return max((at for at in ended if at), default=now_s)


def verdict(
    spec: Obj, finished: Finished, pods: Sequence[Obj], started_s: float | None, now_s: float
) -> Verdict | None:
    """The end of the Job if it has come, failures first; None while it goes on."""
    limit = spec.get("backoffLimit", 6)
    if len(finished.failed) > limit or _restarted_too_often(spec, pods, limit):
        return Verdict("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and started_s is not None and not spec.get("suspend") and now_s >= started_s + deadline:
        return Verdict("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    if _is_complete(spec, finished, sum(is_active(pod) for pod in pods)):
        return Verdict("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
    return None


def _restarted_too_often(spec: Obj, pods: Iterable[Obj], limit: int) -> bool:
    """With restartPolicy OnFailure the restarts of containers are the failures."""
    if (spec["template"].get("spec") or {}).get("restartPolicy") != "OnFailure":
        return False
    count = sum(sum(restarts(pod)) for pod in pods if phase_of(pod) in ("Pending", "Running"))
    return count > 0 if limit == 0 else count >= limit


def _is_complete(spec: Obj, finished: Finished, active: int) -> bool:
    wanted = spec.get("completions")
    if wanted is None:  # a work queue: one success says that the queue is empty
        return bool(finished.succeeded) and active == 0
    return finished.completions(spec) >= int(wanted)


def wanted_active(spec: Obj, finished: Finished, active: int) -> int:
    """How many pods should run now."""
    if spec.get("suspend"):
        return 0
    parallelism = int(spec.get("parallelism", 1))
    wanted = spec.get("completions")
    if wanted is None:
        return active if finished.succeeded else parallelism
    return max(min(int(wanted) - finished.completions(spec), parallelism), 0)


def backoff_s(finished: Finished, now_s: float) -> float:
    """Seconds to wait before the next pod: 10, 20, 40, ... after each failure, up to ten minutes."""
    if not finished.failed:
        return 0.0
    wait_s = min(FIRST_BACKOFF_S * 2.0 ** min(len(finished.failed) - 1, 16), LAST_BACKOFF_S)
    return max(max(finished.failed.values()) + wait_s - now_s, 0.0)


def ended(conditions: Iterable[Obj] | None) -> Obj | None:
    """The Complete or Failed condition, if the Job has ended."""
    conditions = list(conditions or ())
    for type_ in ("Complete", "Failed"):
        found = find_condition(conditions, type_)
        if found is not None and found["status"] == "True":
            return found
    return None


def missing_indexes(spec: Obj, finished: Finished, active_pods: Iterable[Obj]) -> list[int]:
    """The completion indexes that neither succeeded nor run, in order."""
    taken = finished.indexes(spec) | {index_of(pod) for pod in active_pods}
    return [index for index in range(int(spec["completions"])) if index not in taken]


def ranges(indexes: Iterable[int]) -> str:
    """`0-2,5` for 0, 1, 2 and 5, as in status.completedIndexes."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
