"""ReplicaSets: keep as many pods as wanted.

Source: kubernetes/pkg/controller/replicaset and controller_utils.go (ActivePodsWithRanks).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from functools import cmp_to_key

from seatrial.clusters.local.controllers.controller import MANAGER, Controller
from seatrial.clusters.local.controllers.events import Recorder
from seatrial.clusters.local.controllers.objects import (
    Key,
    Obj,
    condition,
    created_s,
    is_active,
    is_available,
    is_deleted,
    is_ready,
    key_of,
    owner_reference,
    phase_of,
    ready_since_s,
    restarts,
    selects,
    uid_of,
    with_condition,
    without,
)
from seatrial.clusters.local.controllers.ownership import claim, wanted_by
from seatrial.clusters.local.store import Event, Store, StoreError

BURST = 500  # pods made or deleted in one go
PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSetController(Controller):
    """Makes and deletes the pods of ReplicaSets."""

    watches = ("replicasets", "pods")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._events = Recorder(store, "replicaset-controller")

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.object["kind"] == "ReplicaSet":
            yield key_of(event.object)
        else:
            yield from wanted_by(self.store, "ReplicaSet", "replicasets", event.object)

    def reconcile(self, key: Key) -> float | None:
        replica_set = self.store.find("replicasets", *key)
        if replica_set is None:
            return None
        failure = None
        if not is_deleted(replica_set):
            failure = self._to_size(replica_set)
        pods = list(claim(self.store, "pods", replica_set, replica_set["spec"]["selector"]))
        now_s = time.time()
        status = status_of(replica_set, [pod for pod in pods if is_active(pod)], failure, now_s)

        def change(draft: Obj) -> None:
            draft["status"] = status

        self.store.mutate("replicasets", *key, change, subresource="status", manager=MANAGER)
        if failure is not None:
            raise failure
        return next_available_in_s(replica_set, pods, now_s)

    def _to_size(self, replica_set: Obj) -> StoreError | None:
        """Make or delete pods until the number is right; what the API refused, if it did."""
        pods = claim(self.store, "pods", replica_set, replica_set["spec"]["selector"])
        pods = [pod for pod in pods if is_active(pod)]
        missing = replica_set["spec"].get("replicas", 1) - len(pods)
        if missing < 0:
            for pod in deletion_order(pods, time.time())[: min(-missing, BURST)]:
                self.store.delete("pods", *key_of(pod))
                self._events.normal(replica_set, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
        for _ in range(min(missing, BURST)):
            try:
                pod = self.store.create("pods", pod_of(replica_set), manager=MANAGER)
            except StoreError as refusal:
                self._events.warning(replica_set, "FailedCreate", f"Error creating: {refusal}")
                return refusal
            self._events.normal(replica_set, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return None


def pod_of(owner: Obj) -> Obj:
    """A pod from the owner's template, managed by it."""
    template = owner["spec"]["template"]
    metadata = template.get("metadata") or {}
    return {
        "metadata": {
            "generateName": f"{owner['metadata']['name']}-",
            "namespace": owner["metadata"]["namespace"],
            **{field: dict(metadata[field]) for field in ("labels", "annotations") if metadata.get(field)},
            **({"finalizers": list(metadata["finalizers"])} if metadata.get("finalizers") else {}),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": template["spec"],
    }


def deletion_order(pods: Sequence[Obj], now_s: float) -> list[Obj]:
    """The pods with those first whose loss hurts least.

    Without a node, then pending, then unready, then cheap (pod-deletion-cost), then ready for a shorter time,
    then often restarted, then young. Durations are compared by their magnitude (powers of two of nanoseconds),
    within one of which the uid decides, so that not always the newest version goes first.
    """

    def compare(one: Obj, other: Obj) -> int:
        coarse = _coarse_rank(one), _coarse_rank(other)
        if coarse[0] != coarse[1]:
            return -1 if coarse[0] < coarse[1] else 1
        if is_ready(one) and ready_since_s(one) != ready_since_s(other):
            return _by_age(one, other, now_s - ready_since_s(one), now_s - ready_since_s(other))
        most = max(restarts(one), default=0), max(restarts(other), default=0)
        if most[0] != most[1]:
            return most[1] - most[0]
        return _by_age(one, other, now_s - created_s(one), now_s - created_s(other))

    return sorted(pods, key=cmp_to_key(compare))


def _coarse_rank(pod: Obj) -> tuple[bool, int, bool, int]:
    cost = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    assigned = bool((pod.get("spec") or {}).get("nodeName"))
    return assigned, PHASE_ORDER.get(phase_of(pod), 1), is_ready(pod), int(cost) if _is_integer(cost) else 0


def _is_integer(text: str) -> bool:
    return text.lstrip("-").isdecimal()


def _by_age(one: Obj, other: Obj, age_s: float, other_age_s: float) -> int:
    ranks = [math.floor(math.log2(age * 1e9)) if age > 0 else -1 for age in (age_s, other_age_s)]
    if ranks[0] != ranks[1]:
        return ranks[0] - ranks[1]
    return -1 if uid_of(one) < uid_of(other) else 1


def status_of(replica_set: Obj, pods: Sequence[Obj], failure: StoreError | None, now_s: float) -> Obj:
    """The status with `pods` the active ones; counts of zero are left out, but for `replicas`."""
    min_ready_s = replica_set["spec"].get("minReadySeconds", 0)
    template_labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    labelled = [pod for pod in pods if selects({"matchLabels": template_labels}, pod["metadata"].get("labels"))]
    counts = {
        "fullyLabeledReplicas": len(labelled),
        "readyReplicas": sum(is_ready(pod) for pod in pods),
        "availableReplicas": sum(is_available(pod, min_ready_s, now_s) for pod in pods),
    }
    conditions = (replica_set.get("status") or {}).get("conditions") or []
    if failure is None:
        conditions = without(conditions, "ReplicaFailure")
    elif condition(replica_set, "ReplicaFailure") is None:
        conditions = with_condition(conditions, "ReplicaFailure", "True", "FailedCreate", failure.message, now_s)
    return {
        "replicas": len(pods),
        **{field: count for field, count in counts.items() if count},
        "observedGeneration": replica_set["metadata"].get("generation", 1),
        **({"conditions": conditions} if conditions else {}),
    }


def next_available_in_s(replica_set: Obj, pods: Sequence[Obj], now_s: float) -> float | None:
    """Seconds until the next ready pod has been ready for minReadySeconds."""
    min_ready_s = replica_set["spec"].get("minReadySeconds", 0)
    waits = [
        ready_since_s(pod) + min_ready_s - now_s
        for pod in pods
        if is_active(pod) and is_ready(pod) and not is_available(pod, min_ready_s, now_s)
    ]
    return min(waits) if waits else None
