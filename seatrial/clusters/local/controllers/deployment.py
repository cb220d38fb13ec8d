"""Deployments: one ReplicaSet per pod template, grown and shrunk step by step.

Source: kubernetes/pkg/controller/deployment. How many replicas where: rollout.py. Conditions: deployment_status.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import orjson

from seatrial.clusters.local.controllers import deployment_status, rollout
from seatrial.clusters.local.controllers.controller import MANAGER, Controller
from seatrial.clusters.local.controllers.events import Recorder
from seatrial.clusters.local.controllers.objects import (
    Key,
    Obj,
    condition,
    controlled_by,
    controller_of,
    is_deleted,
    is_finished,
    key_of,
    owner_reference,
)
from seatrial.clusters.local.controllers.ownership import claim, wanted_by
from seatrial.clusters.local.controllers.rollout import (
    DESIRED_REPLICAS,
    HASH_LABEL,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    Sizes,
    name_of,
    replicas,
    revision,
)
from seatrial.clusters.local.store import Event, Store, StoreError

NOT_COPIED = {  # annotations of a Deployment that say nothing of its ReplicaSets
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
}
HASH_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # k8s.io/apimachinery/pkg/util/rand.SafeEncodeString


class DeploymentController(Controller):
    """Rolls Deployments out."""

    watches = ("deployments", "replicasets", "pods")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._events = Recorder(store, "deployment-controller")

    def concerned(self, event: Event) -> Iterable[Key]:
        match event.object["kind"]:
            case "Deployment":
                yield key_of(event.object)
            case "ReplicaSet":
                yield from self._deployments_of(event.object)
            case _:
                # Only Recreate waits for single pods, and only for their end.
                if event.type == "DELETED" or is_finished(event.object):
                    owner = controller_of(event.object)
                    namespace = event.object["metadata"]["namespace"]
                    found = self.store.find("replicasets", namespace, owner["name"]) if owner else None
                    if found is not None:
                        yield from self._deployments_of(found)

    def _deployments_of(self, replica_set: Obj) -> Iterable[Key]:
        return wanted_by(self.store, "Deployment", "deployments", replica_set)

    def reconcile(self, key: Key) -> float | None:
        deployment = self.store.find("deployments", *key)
        if deployment is None:
            return None
        replica_sets = claim(self.store, "replicasets", deployment, deployment["spec"]["selector"])
        replica_sets = [found for found in replica_sets if not is_deleted(found)]
        if is_deleted(deployment):
            new, olds = _split(deployment, replica_sets)
            self._write_status(key, deployment_status.counted(deployment, new, olds, time.time()))
            return None
        deployment = self._with_pause_said(deployment)
        if deployment["spec"].get("paused") or rollout.is_scaling(deployment, replica_sets):
            self._only_scale(deployment, replica_sets)
            return None
        if rollout.is_rolling(deployment):
            return self._roll(deployment, replica_sets)
        return self._recreate(deployment, replica_sets)

    # -- the three ways forward -----------------------------------------------------------------------------------

    def _only_scale(self, deployment: Obj, replica_sets: Sequence[Obj]) -> None:
        new, olds = self._current(deployment, replica_sets, create=False)
        sizes = rollout.scaled_sizes(deployment, new, olds)
        new, olds = self._resize(deployment, new, olds, sizes, annotate_all=True)
        if deployment["spec"].get("paused"):
            self._clean_up(deployment, olds)
        self._write_status(key_of(deployment), deployment_status.counted(deployment, new, olds, time.time()))

    def _roll(self, deployment: Obj, replica_sets: Sequence[Obj]) -> float | None:
        new, olds = self._current(deployment, replica_sets, create=True)
        deployment = self.store.get("deployments", *key_of(deployment))
        if new is None:
            return self._judge(deployment, None, olds)
        size = rollout.new_replicas(deployment, new, olds)
        sizes = rollout.old_replicas(deployment, new, olds) if size == replicas(new) else {name_of(new): size}
        if not sizes and deployment_status.is_complete(deployment, deployment.get("status") or {}):
            self._clean_up(deployment, olds)
        return self._judge(deployment, *self._resize(deployment, new, olds, sizes))

    def _recreate(self, deployment: Obj, replica_sets: Sequence[Obj]) -> float | None:
        new, olds = self._current(deployment, replica_sets, create=False)
        growing = rollout.active(olds)
        if growing:
            return self._judge(deployment, *self._resize(deployment, new, olds, {name_of(old): 0 for old in growing}))
        if self._still_running(olds):
            return self._judge(deployment, new, olds)
        new, olds = self._current(deployment, replica_sets, create=True)
        deployment = self.store.get("deployments", *key_of(deployment))
        if new is not None and replicas(new) != replicas(deployment):
            new, olds = self._resize(deployment, new, olds, {name_of(new): replicas(deployment)})
        if deployment_status.is_complete(deployment, deployment.get("status") or {}):
            self._clean_up(deployment, olds)
        return self._judge(deployment, new, olds)

    def _still_running(self, olds: Sequence[Obj]) -> bool:
        if any(rollout.observed(old, "replicas") for old in olds):
            return True
        names = {old["metadata"]["uid"]: old for old in olds}
        for pod in self.store.list("pods", olds[0]["metadata"]["namespace"]) if olds else ():
            owner = controller_of(pod)
            if owner is not None and owner["uid"] in names and not is_finished(pod):
                return True
        return False

    # -- the current revision -------------------------------------------------------------------------------------

    def _current(
        self, deployment: Obj, replica_sets: Sequence[Obj], *, create: bool
    ) -> tuple[Obj | None, Sequence[Obj]]:
        """The ReplicaSet of the template as it is now, its revision brought up to date, and the others."""
        new, olds = _split(deployment, replica_sets)
        newest = max((revision(old) for old in olds), default=0) + 1
        if new is not None:
            marked = self.store.mutate(
                "replicasets", *key_of(new), lambda draft: _mark(draft, deployment, newest), manager=MANAGER
            )
            new = marked or new
            self._say(deployment, "FoundNewReplicaSet", f'Found new replica set "{name_of(new)}"', only_first=True)
        elif create:
            new = self._create(deployment, olds, newest)
        if new is not None:
            number = str(revision(new))

            def show_revision(draft: Obj) -> None:
                draft["metadata"].setdefault("annotations", {})[REVISION] = number

            self.store.mutate("deployments", *key_of(deployment), show_revision, manager=MANAGER)
        return new, olds

    def _create(self, deployment: Obj, olds: Sequence[Obj], newest: int) -> Obj | None:
        template, spec = deployment["spec"]["template"], deployment["spec"]
        collisions = (deployment.get("status") or {}).get("collisionCount", 0)
        digest = template_hash(template, collisions)
        labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: digest}
        selector = spec["selector"]
        replica_set: Obj = {
            "metadata": {
                "name": f"{name_of(deployment)}-{digest}",
                "namespace": deployment["metadata"]["namespace"],
                "labels": labels,
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                "replicas": rollout.new_replicas(deployment, None, olds),
                "selector": {
                    **selector,
                    "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: digest},
                },
                "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
                **({"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}),
            },
        }
        _mark(replica_set, deployment, newest)
        _mark_sizes(replica_set, deployment)
        try:
            created = self.store.create("replicasets", replica_set, manager=MANAGER)
        except StoreError as refusal:
            if refusal.reason == "AlreadyExists":
                self._count_collision(deployment, collisions)
            else:
                message = f'Failed to create new replica set "{name_of(replica_set)}": {refusal}'
                self._say(deployment, "ReplicaSetCreateError", message, status="False")
            raise
        self._say(deployment, "NewReplicaSetCreated", f'Created new replica set "{name_of(created)}"')
        if replicas(created):
            message = f"Scaled up replica set {name_of(created)} from 0 to {replicas(created)}"
            self._events.normal(deployment, "ScalingReplicaSet", message)
        return created

    def _count_collision(self, deployment: Obj, collisions: int) -> None:
        def change(draft: Obj) -> None:
            draft.setdefault("status", {})["collisionCount"] = collisions + 1

        self.store.mutate("deployments", *key_of(deployment), change, subresource="status", manager=MANAGER)

    # -- writing --------------------------------------------------------------------------------------------------

    def _resize(
        self,
        deployment: Obj,
        new: Obj | None,
        olds: Sequence[Obj],
        sizes: Sizes,
        *,
        annotate_all: bool = False,
    ) -> tuple[Obj | None, list[Obj]]:
        """Write the sizes; the ReplicaSets as they are then."""

        def resized(found: Obj) -> Obj:
            size = sizes.get(name_of(found), replicas(found))
            if size == replicas(found) and not (annotate_all and size):
                return found

            def change(draft: Obj) -> None:
                draft["spec"]["replicas"] = size
                _mark_sizes(draft, deployment)

            before = replicas(found)
            written = self.store.mutate("replicasets", *key_of(found), change, manager=MANAGER)
            if size != before:
                way = "up" if size > before else "down"
                message = f"Scaled {way} replica set {name_of(found)} from {before} to {size}"
                self._events.normal(deployment, "ScalingReplicaSet", message)
            return written or found

        return (resized(new) if new is not None else None), [resized(old) for old in olds]

    def _clean_up(self, deployment: Obj, olds: Sequence[Obj]) -> None:
        for name in rollout.obsolete(deployment, olds):
            self.store.delete("replicasets", deployment["metadata"]["namespace"], name)

    def _judge(self, deployment: Obj, new: Obj | None, olds: Sequence[Obj]) -> float | None:
        now_s = time.time()
        deployment = self.store.get("deployments", *key_of(deployment))
        status = deployment_status.judged(deployment, new, olds, now_s)
        self._write_status(key_of(deployment), status)
        return deployment_status.deadline_in_s(deployment, status, now_s)

    def _write_status(self, key: Key, status: Obj) -> None:
        def change(draft: Obj) -> None:
            draft["status"] = status

        self.store.mutate("deployments", *key, change, subresource="status", manager=MANAGER)

    def _say(
        self, deployment: Obj, reason: str, message: str, *, status: str = "True", only_first: bool = False
    ) -> None:
        """Put the Progressing condition; with `only_first` not if there is one."""
        if deployment_status.deadline_s(deployment) is None:
            return
        if only_first and condition(deployment, "Progressing") is not None:
            return

        def change(draft: Obj) -> None:
            old = draft.setdefault("status", {})
            old["conditions"] = deployment_status.changed(
                old.get("conditions") or [], "Progressing", status, reason, message, time.time()
            )

        self.store.mutate("deployments", *key_of(deployment), change, subresource="status", manager=MANAGER)

    def _with_pause_said(self, deployment: Obj) -> Obj:
        """A paused Deployment makes no progress by intent, so its deadline starts anew when it resumes."""
        progressing = condition(deployment, "Progressing")
        reason = progressing["reason"] if progressing else None
        if reason == deployment_status.TIMED_OUT:
            return deployment
        paused = bool(deployment["spec"].get("paused"))
        if paused and reason != deployment_status.PAUSED:
            self._say(deployment, deployment_status.PAUSED, "Deployment is paused", status="Unknown")
        elif not paused and reason == deployment_status.PAUSED:
            self._say(deployment, deployment_status.RESUMED, "Deployment is resumed", status="Unknown")
        else:
            return deployment
        return self.store.get("deployments", *key_of(deployment))


def template_hash(template: Obj, collisions: int = 0) -> str:
    """A short name for a pod template: FNV-1a of its JSON in the alphabet that Kubernetes uses for names."""
    value = 0x811C9DC5
    for byte in orjson.dumps([template, collisions], option=orjson.OPT_SORT_KEYS):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return "".join(HASH_ALPHABET[ord(digit) % len(HASH_ALPHABET)] for digit in str(value))


def _split(deployment: Obj, replica_sets: Sequence[Obj]) -> tuple[Obj | None, list[Obj]]:
    """The ReplicaSet of the current template (the oldest, should there be two) and the others."""
    ordered = rollout.oldest_first(found for found in replica_sets if controlled_by(found, deployment))
    new = next((found for found in ordered if rollout.template_matches(found, deployment)), None)
    return new, [found for found in ordered if found is not new]


def _mark(replica_set: Obj, deployment: Obj, newest: int) -> None:
    """Copy the Deployment's annotations, and number the revision; a former number goes into its history."""
    annotations = replica_set["metadata"].setdefault("annotations", {})
    for name, value in (deployment["metadata"].get("annotations") or {}).items():
        if name not in NOT_COPIED:
            annotations[name] = value
    before = annotations.get(REVISION)
    if before is None or int(before) < newest:
        annotations[REVISION] = str(newest)
        if before is not None:
            history = annotations.get(REVISION_HISTORY)
            annotations[REVISION_HISTORY] = f"{history},{before}" if history else before
    if deployment["spec"].get("minReadySeconds", 0) != replica_set["spec"].get("minReadySeconds", 0):
        replica_set["spec"]["minReadySeconds"] = deployment["spec"].get("minReadySeconds", 0)


def _mark_sizes(replica_set: Obj, deployment: Obj) -> None:
    annotations = replica_set["metadata"].setdefault("annotations", {})
    annotations[DESIRED_REPLICAS] = str(replicas(deployment))
    annotations[MAX_REPLICAS] = str(replicas(deployment) + rollout.max_surge(deployment))
