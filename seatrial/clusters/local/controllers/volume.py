"""PersistentVolumeClaims: a volume each, made when the first pod wants it, kept while one uses it.

As the StorageClass `standard` of kind (local-path): volumeBindingMode WaitForFirstConsumer, reclaimPolicy Delete.
Source: kubernetes/pkg/controller/volume/persistentvolume and .../pvcprotection.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from seatrial.clusters.local.controllers.controller import MANAGER, Controller
from seatrial.clusters.local.controllers.events import Recorder
from seatrial.clusters.local.controllers.objects import Key, Obj, is_deleted, is_finished, key_of, uid_of
from seatrial.clusters.local.kubelet.volumes import claim_folder
from seatrial.clusters.local.store import Event, Store

IN_USE = "kubernetes.io/pvc-protection"
PROVISIONER = "seatrial.dev/folder"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
STANDARD: Obj = {
    "metadata": {"name": "standard", "annotations": {DEFAULT_CLASS: "true"}},
    "provisioner": PROVISIONER,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "WaitForFirstConsumer",
}


class VolumeController(Controller):
    """Binds claims to folders below `claims`, where the kubelet finds them."""

    watches = ("persistentvolumeclaims", "pods", "storageclasses")

    def __init__(self, store: Store, claims: Path) -> None:
        super().__init__(store)
        self._claims = claims
        self._events = Recorder(store, "persistentvolume-controller")

    def concerned(self, event: Event) -> Iterable[Key]:
        obj = event.object
        match obj["kind"]:
            case "PersistentVolumeClaim":
                yield key_of(obj)
            case "StorageClass":
                yield from (key_of(claim) for claim in self.store.list("persistentvolumeclaims"))
            case _:
                yield from ((obj["metadata"]["namespace"], name) for name in claims_of(obj))

    def reconcile(self, key: Key) -> None:
        claim = self.store.find("persistentvolumeclaims", *key)
        if claim is None:
            self._reclaim(key)
            return
        users = [pod for pod in self.store.list("pods", key[0]) if key[1] in claims_of(pod)]
        if is_deleted(claim):
            if all(is_finished(pod) for pod in users):
                self.store.mutate("persistentvolumeclaims", *key, _release, manager=MANAGER)
            return
        if (claim.get("status") or {}).get("phase") == "Bound":
            return
        storage_class = self._class_of(claim)
        if storage_class is None:
            self._events.normal(
                claim,
                "FailedBinding",
                "no persistent volumes available for this claim and no storage class is set",
            )
        elif storage_class.get("volumeBindingMode") != "Immediate" and not users:
            message = "waiting for first consumer to be created before binding"
            self._events.normal(claim, "WaitForFirstConsumer", message)
        elif storage_class["provisioner"] == PROVISIONER:
            self._bind(claim, storage_class)

    def _class_of(self, claim: Obj) -> Obj | None:
        """The class it names, or the default one if it names none; "" asks for none."""
        name = claim["spec"].get("storageClassName")
        if name is not None:
            return self.store.find("storageclasses", None, name) if name else None
        for found in self.store.list("storageclasses"):
            if (found["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true":
                return found
        return None

    def _bind(self, claim: Obj, storage_class: Obj) -> None:
        name = f"pvc-{uid_of(claim)}"
        folder = claim_folder(self._claims, claim)
        if self.store.find("persistentvolumes", None, name) is None:
            self.store.create("persistentvolumes", volume_for(claim, storage_class, folder), manager=MANAGER)

        def bound(draft: Obj) -> None:
            draft["status"] = {"phase": "Bound"}

        self.store.mutate("persistentvolumes", None, name, bound, subresource="status", manager=MANAGER)

        def name_volume(draft: Obj) -> None:
            draft["spec"]["volumeName"] = name
            draft["spec"]["storageClassName"] = storage_class["metadata"]["name"]

        def bind(draft: Obj) -> None:
            draft["status"] = {
                "phase": "Bound",
                "accessModes": claim["spec"].get("accessModes", []),
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            }

        key = key_of(claim)
        self.store.mutate("persistentvolumeclaims", *key, name_volume, manager=MANAGER)
        self.store.mutate("persistentvolumeclaims", *key, bind, subresource="status", manager=MANAGER)
        self._events.normal(claim, "ProvisioningSucceeded", f"Successfully provisioned volume {name}")

    def _reclaim(self, key: Key) -> None:
        for volume in self.store.list("persistentvolumes"):
            claim = volume["spec"].get("claimRef") or {}
            if (claim.get("namespace"), claim.get("name")) != key:
                continue
            if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
                shutil.rmtree(volume["spec"]["hostPath"]["path"], ignore_errors=True)
                self.store.remove("persistentvolumes", None, volume["metadata"]["name"])
            else:
                self.store.mutate(
                    "persistentvolumes", None, volume["metadata"]["name"], _set_released, subresource="status"
                )


def claims_of(pod: Obj) -> set[str]:
    """The names of the claims that a pod mounts."""
    volumes = pod["spec"].get("volumes") or ()
    named = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
    own = {f"{pod['metadata']['name']}-{volume['name']}" for volume in volumes if "ephemeral" in volume}
    return named | own


def volume_for(claim: Obj, storage_class: Obj, folder: Path) -> Obj:
    """The volume that serves exactly this claim."""
    return {
        "metadata": {
            "name": f"pvc-{uid_of(claim)}",
            "annotations": {"pv.kubernetes.io/provisioned-by": storage_class["provisioner"]},
        },
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"].get("accessModes", []),
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "storageClassName": storage_class["metadata"]["name"],
            "volumeMode": claim["spec"].get("volumeMode", "Filesystem"),
            "hostPath": {"path": str(folder), "type": "DirectoryOrCreate"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim["metadata"]["namespace"],
                "name": claim["metadata"]["name"],
                "uid": uid_of(claim),
            },
        },
    }


def _release(draft: Obj) -> None:
    draft["metadata"]["finalizers"] = [found for found in draft["metadata"].get("finalizers", ()) if found != IN_USE]


def _set_released(draft: Obj) -> None:
    draft["status"] = {"phase": "Released"}
