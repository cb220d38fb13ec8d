"""StatefulSets: pods with names, hostnames and volumes of their own, made, updated and taken away in order.

Source: kubernetes/pkg/controller/statefulset. Which pod is next: stateful.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from seatrial.clusters.local.controllers import stateful
from seatrial.clusters.local.controllers.controller import MANAGER, Controller
from seatrial.clusters.local.controllers.deployment import template_hash
from seatrial.clusters.local.controllers.events import Recorder
from seatrial.clusters.local.controllers.objects import (
    Key,
    Obj,
    controlled_by,
    is_deleted,
    key_of,
    owner_reference,
)
from seatrial.clusters.local.controllers.ownership import claim, wanted_by
from seatrial.clusters.local.controllers.replicaset import next_available_in_s
from seatrial.clusters.local.controllers.rollout import name_of
from seatrial.clusters.local.store import Event, Store, StoreError

HASH_LABEL = "controller.kubernetes.io/hash"


class StatefulSetController(Controller):
    """Makes, updates and deletes the pods of StatefulSets."""

    watches = ("statefulsets", "pods")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._events = Recorder(store, "statefulset-controller")

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.object["kind"] == "StatefulSet":
            yield key_of(event.object)
        else:
            yield from wanted_by(self.store, "StatefulSet", "statefulsets", event.object)

    def reconcile(self, key: Key) -> float | None:
        stateful_set = self.store.find("statefulsets", *key)
        if stateful_set is None:
            return None
        revisions = self._revisions(stateful_set)
        update = revisions[-1]
        named = {name_of(found): found for found in revisions}
        current = named.get((stateful_set.get("status") or {}).get("currentRevision", ""), update)
        refusal = None
        if not is_deleted(stateful_set):
            refusal = self._take_step(stateful_set, current, update)
        pods, now_s = self._pods(stateful_set), time.time()
        status = stateful.status_of(stateful_set, pods, name_of(current), name_of(update), now_s)

        def change(draft: Obj) -> None:
            draft["status"] = status

        self.store.mutate("statefulsets", *key, change, subresource="status", manager=MANAGER)
        live = {status["currentRevision"], name_of(update), *map(stateful.revision_of, pods)}
        for old in stateful.obsolete(stateful_set, revisions, live):
            self.store.delete("controllerrevisions", *key_of(old))
        if refusal is not None:
            raise refusal
        return next_available_in_s(stateful_set, pods, now_s)

    def _pods(self, stateful_set: Obj) -> list[Obj]:
        return claim(
            self.store,
            "pods",
            stateful_set,
            stateful_set["spec"]["selector"],
            lambda pod: stateful.ordinal_of(stateful_set, pod) is not None,
        )

    def _take_step(self, stateful_set: Obj, current: Obj, update: Obj) -> StoreError | None:
        """Make or delete the pods whose turn it is; what the API refused, if it did."""
        step = stateful.next_step(stateful_set, self._pods(stateful_set), name_of(update), time.time())
        for pod in step.delete:
            if step.condemned and stateful.retention(stateful_set, "whenScaled") == "Delete":
                self._let_claims_go_with(stateful_set, pod)
            self.store.delete("pods", *key_of(pod))
            message = f"delete Pod {name_of(pod)} in StatefulSet {name_of(stateful_set)} successful"
            self._events.normal(stateful_set, "SuccessfulDelete", message)
        kept = stateful.ordinals_of(stateful_set)[: stateful.partition_of(stateful_set)]
        for ordinal in step.create:
            revision = current if stateful.is_rolling(stateful_set) and ordinal in kept else update
            try:
                self._create(stateful_set, revision, ordinal)
            except StoreError as refusal:
                message = f"create Pod {name_of(stateful_set)}-{ordinal} in StatefulSet {name_of(stateful_set)} failed"
                self._events.warning(stateful_set, "FailedCreate", f"{message} error: {refusal}")
                return refusal
        return None

    def _create(self, stateful_set: Obj, revision: Obj, ordinal: int) -> None:
        """The claims first, unless they are there from before."""
        name, within = f"{name_of(stateful_set)}-{ordinal}", f"in StatefulSet {name_of(stateful_set)}"
        for wanted in stateful.claims_of(stateful_set, ordinal):
            if self.store.find("persistentvolumeclaims", *key_of(wanted)) is None:
                self.store.create("persistentvolumeclaims", wanted, manager=MANAGER)
                message = f"create Claim {name_of(wanted)} Pod {name} {within} success"
                self._events.normal(stateful_set, "SuccessfulCreate", message)
        pod = stateful.pod_of(stateful_set, name_of(revision), revision["data"]["spec"]["template"], ordinal)
        self.store.create("pods", pod, manager=MANAGER)
        self._events.normal(stateful_set, "SuccessfulCreate", f"create Pod {name} {within} successful")

    def _let_claims_go_with(self, stateful_set: Obj, pod: Obj) -> None:
        def change(draft: Obj) -> None:
            draft["metadata"]["ownerReferences"] = [owner_reference(pod)]

        for kept in stateful.claims_of(stateful_set, stateful.ordinal_of(stateful_set, pod) or 0):
            self.store.mutate("persistentvolumeclaims", *key_of(kept), change, manager=MANAGER)

    # -- revisions ------------------------------------------------------------------------------------------------

    def _revisions(self, stateful_set: Obj) -> Sequence[Obj]:
        """All templates that there were, as ControllerRevisions, that of now the last."""
        data = {"spec": {"template": stateful_set["spec"]["template"]}}
        known = sorted(
            (
                found
                for found in self.store.list("controllerrevisions", stateful_set["metadata"]["namespace"])
                if controlled_by(found, stateful_set)
            ),
            key=lambda found: int(found["revision"]),
        )
        newest = int(known[-1]["revision"]) if known else 0
        same = next((found for found in known if found["data"] == data), None)
        if same is None:
            return [*known, self._remember(stateful_set, data, newest + 1)]
        if int(same["revision"]) == newest:
            return known

        def renumber(draft: Obj) -> None:
            draft["revision"] = newest + 1

        again = self.store.mutate("controllerrevisions", *key_of(same), renumber, manager=MANAGER)
        return [*(found for found in known if found is not same), again or same]

    def _remember(self, stateful_set: Obj, data: Obj, number: int) -> Obj:
        namespace, collisions = stateful_set["metadata"]["namespace"], 0
        while True:
            digest = template_hash(data["spec"]["template"], collisions)
            name = f"{name_of(stateful_set)}-{digest}"
            if self.store.find("controllerrevisions", namespace, name) is None:
                break
            collisions += 1
        labels = (stateful_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
        revision = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {**labels, HASH_LABEL: digest},
                "ownerReferences": [owner_reference(stateful_set)],
            },
            "data": data,
            "revision": number,
        }
        return self.store.create("controllerrevisions", revision, manager=MANAGER)
