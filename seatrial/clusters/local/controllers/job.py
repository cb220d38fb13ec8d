"""Jobs: run pods until enough of them succeeded, or too many failed.

Source: kubernetes/pkg/controller/job and .../ttlafterfinished. What to do next: job_progress.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from seatrial.clusters.local.controllers import job_progress
from seatrial.clusters.local.controllers.controller import MANAGER, Controller
from seatrial.clusters.local.controllers.events import Recorder
from seatrial.clusters.local.controllers.job_progress import INDEX, Finished, Verdict
from seatrial.clusters.local.controllers.objects import (
    Key,
    Obj,
    controlled_by,
    controller_of,
    find_condition,
    holds,
    is_active,
    is_deleted,
    is_finished,
    is_ready,
    key_of,
    phase_of,
    seconds,
    uid_of,
    with_condition,
)
from seatrial.clusters.local.controllers.replicaset import pod_of
from seatrial.clusters.local.store import Event, Store, StoreError, timestamp

TARGETS = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}  # said first, while pods still end

LEFT_OUT_WHEN_EMPTY = ("active", "succeeded", "failed", "completedIndexes")


class JobController(Controller):
    """Runs Jobs, and deletes those whose time to live after their end is over."""

    watches = ("jobs", "pods")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._events = Recorder(store, "job-controller")
        self._finished: dict[str, Finished] = {}  # by the Job's uid

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.object["kind"] == "Job":
            if event.type == "DELETED":
                self._finished.pop(uid_of(event.object), None)
            else:
                yield key_of(event.object)
            return
        owner = controller_of(event.object)
        if owner is not None and owner["kind"] == "Job":
            if event.type == "DELETED":
                finished = self._finished.setdefault(owner["uid"], Finished())
                finished.add(event.object, gone=True, now_s=time.time())
            yield event.object["metadata"]["namespace"], owner["name"]

    def reconcile(self, key: Key) -> float | None:
        job = self.store.find("jobs", *key)
        if job is None or is_deleted(job):
            return None
        now_s = time.time()
        end = job_progress.ended((job.get("status") or {}).get("conditions"))
        if end is not None:
            return self._expire(job, end, now_s)
        pods = [pod for pod in self.store.list("pods", key[0]) if controlled_by(pod, job)]
        finished = self._finished.setdefault(uid_of(job), Finished())
        for pod in pods:
            finished.add(pod, gone=False, now_s=now_s)

        status = dict(job.get("status") or {})
        self._say_if_suspended(job, status, now_s)
        started_s = seconds(status["startTime"]) if status.get("startTime") else None
        verdict = _announced(status) or job_progress.verdict(job["spec"], finished, pods, started_s, now_s)
        wait_s = None
        if verdict is None:
            pods, wait_s = self._run_pods(job, pods, finished, now_s)
        else:
            pods = self._conclude(job, status, verdict, pods, finished, now_s)
        status |= counts(job["spec"], finished, pods)
        # Go's `omitempty`
        self._write(key, {name: value for name, value in status.items() if value or name not in LEFT_OUT_WHEN_EMPTY})
        return wait_s if verdict is not None else _earliest(wait_s, _deadline_in_s(job["spec"], started_s, now_s))

    # -- while it runs --------------------------------------------------------------------------------------------

    def _run_pods(self, job: Obj, pods: list[Obj], finished: Finished, now_s: float) -> tuple[list[Obj], float | None]:
        """Make or delete pods; those there are then, and the seconds to wait before making the next."""
        active = [pod for pod in pods if is_active(pod)]
        wanted = job_progress.wanted_active(job["spec"], finished, len(active))
        if len(active) > wanted:
            surplus = sorted(active, key=lambda pod: (phase_of(pod) == "Running", is_ready(pod)))
            return self._delete(job, pods, surplus[: len(active) - wanted]), None
        if len(active) == wanted:
            return pods, None
        wait_s = job_progress.backoff_s(finished, now_s)
        if wait_s > 0:
            return pods, wait_s
        missing = wanted - len(active)
        indexes: Sequence[int | None] = [None] * missing
        if job_progress.is_indexed(job["spec"]):
            indexes = job_progress.missing_indexes(job["spec"], finished, active)[:missing]
        return [*pods, *(self._create(job, index) for index in indexes)], None

    def _create(self, job: Obj, index: int | None) -> Obj:
        try:
            pod = self.store.create("pods", pod_for(job, index), manager=MANAGER)
        except StoreError as refusal:
            self._events.warning(job, "FailedCreate", f"Error creating: {refusal}")
            raise
        self._events.normal(job, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return pod

    def _delete(self, job: Obj, pods: list[Obj], going: Iterable[Obj]) -> list[Obj]:
        for pod in going:
            self.store.delete("pods", *key_of(pod))
            self._events.normal(job, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
        left = ((pod, self.store.find("pods", *key_of(pod))) for pod in pods)
        return [found for pod, found in left if found is not None]

    def _say_if_suspended(self, job: Obj, status: Obj, now_s: float) -> None:
        """Keep the start time and the Suspended condition in `status` right."""
        suspended = holds(status.get("conditions"), "Suspended")
        if job["spec"].get("suspend"):
            if not suspended:
                status["conditions"] = with_condition(
                    status.get("conditions"), "Suspended", "True", "JobSuspended", "Job suspended", now_s
                )
                self._events.normal(job, "Suspended", "Job suspended")
            status.pop("startTime", None)
            return
        if suspended:
            status["conditions"] = with_condition(
                status.get("conditions"), "Suspended", "False", "JobResumed", "Job resumed", now_s
            )
            self._events.normal(job, "Resumed", "Job resumed")
        status.setdefault("startTime", timestamp(now_s))

    # -- its end --------------------------------------------------------------------------------------------------

    def _conclude(
        self, job: Obj, status: Obj, verdict: Verdict, pods: list[Obj], finished: Finished, now_s: float
    ) -> list[Obj]:
        """Announce the end, delete what runs, and say that it ended once nothing does."""
        target = TARGETS[verdict.outcome]
        if not holds(status.get("conditions"), target):
            status["conditions"] = with_condition(
                status.get("conditions"), target, "True", verdict.reason, verdict.message, now_s
            )
        pods = self._delete(job, pods, [pod for pod in pods if is_active(pod)])
        for pod in pods:
            finished.add(pod, gone=False, now_s=now_s)
        if not all(is_finished(pod) for pod in pods):
            return pods
        status["conditions"] = with_condition(
            status["conditions"], verdict.outcome, "True", verdict.reason, verdict.message, now_s
        )
        if verdict.outcome == "Complete":
            status["completionTime"] = timestamp(now_s)
            self._events.normal(job, "Completed", "Job completed")
        else:
            self._events.warning(job, verdict.reason, verdict.message)
        return pods

    def _expire(self, job: Obj, end: Obj, now_s: float) -> float | None:
        lives_s = job["spec"].get("ttlSecondsAfterFinished")
        if lives_s is None:
            return None
        left_s = seconds(end["lastTransitionTime"]) + lives_s - now_s
        if left_s > 0:
            return float(left_s)
        self.store.delete("jobs", *key_of(job), uid=uid_of(job), propagation="Foreground")
        return None

    def _write(self, key: Key, status: Obj) -> None:
        def change(draft: Obj) -> None:
            draft["status"] = status

        self.store.mutate("jobs", *key, change, subresource="status", manager=MANAGER)


def counts(spec: Obj, finished: Finished, pods: Iterable[Obj]) -> Obj:
    """The counting part of a Job's status, zeros and empty texts included."""
    pods = list(pods)
    active = [pod for pod in pods if is_active(pod)]
    terminating = [pod for pod in pods if is_deleted(pod) and not is_finished(pod)]
    return {
        "active": len(active),
        "ready": sum(is_ready(pod) for pod in active),
        "terminating": len(terminating),
        "succeeded": finished.completions(spec),
        "failed": len(finished.failed),
        "uncountedTerminatedPods": {},
        "completedIndexes": job_progress.ranges(finished.indexes(spec)),
    }


def pod_for(job: Obj, index: int | None) -> Obj:
    """The next pod of a Job; of an Indexed one it knows its index by annotation, label and environment."""
    pod = pod_of(job)
    if index is None:
        return pod
    pod["metadata"]["generateName"] = f"{job['metadata']['name']}-{index}-"
    pod["metadata"].setdefault("annotations", {})[INDEX] = str(index)
    pod["metadata"].setdefault("labels", {})[INDEX] = str(index)
    variable = {"name": "JOB_COMPLETION_INDEX", "value": str(index)}
    spec = pod["spec"]
    pod["spec"] = {
        **spec,
        "containers": [found | {"env": [*found.get("env", ()), variable]} for found in spec["containers"]],
    }
    return pod


def _announced(status: Obj) -> Verdict | None:
    """The end that an earlier look announced: it is not judged anew while the last pods end."""
    for outcome in ("Failed", "Complete"):
        target = find_condition(status.get("conditions"), TARGETS[outcome])
        if target is not None and target["status"] == "True":
            return Verdict("Failed" if outcome == "Failed" else "Complete", target["reason"], target["message"])
    return None


def _deadline_in_s(spec: Obj, started_s: float | None, now_s: float) -> float | None:
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is None or started_s is None:
        return None
    return max(started_s + float(deadline) - now_s, 0.0)


def _earliest(*waits: float | None) -> float | None:
    return min((wait for wait in waits if wait is not None), default=None)
