"""What happens to an object between a client's request and the store: defaults, then validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from seatrial.clusters.local.api import defaults, validation
from seatrial.clusters.local.api.errors import forbidden
from seatrial.clusters.local.api.kinds import Kind

Obj = dict[str, Any]
CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
_NOT_READY = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_EVICTED_AFTER_S = 300
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Objects(Protocol):
    """What admission may look up."""

    def find(self, resource: str, namespace: str | None, name: str) -> Obj | None: ...

    def list(self, resource: str, namespace: str | None = None) -> list[Obj]: ...


def prepare(kind: Kind, new: Obj) -> None:
    """Complete a new object in place, as far as its writer will own what is filled in; StoreError Invalid."""
    validation.check_metadata(kind, new)
    defaults.complete(kind, new)
    validation.check_shape(kind, new)


def finish(objects: Objects, kind: Kind, new: Obj) -> None:
    """Add what the server decides and check it all; raises StoreError Invalid or Forbidden."""
    plugin = _PLUGINS.get(kind.resource)
    if plugin is not None:
        plugin(objects, kind, new)
    validation.check_new(kind, new)


def on_update(objects: Objects, kind: Kind, new: Obj, stored: Obj, subresource: str | None) -> None:
    """Complete and check a changed object in place; raises StoreError Invalid."""
    if subresource == "status":
        return
    validation.check_metadata(kind, new)
    if kind.resource == "services":
        _keep_addresses(new, stored)
    if kind.resource == "jobs":
        _keep_job_labels(new, stored)
    defaults.complete(kind, new)
    if kind.resource == "services":
        _service(objects, kind, new)
    validation.check_shape(kind, new)
    validation.check_change(kind, new, stored, subresource)


def _pod(objects: Objects, kind: Kind, pod: Obj) -> None:
    """The admission plugins ServiceAccount, Priority, RuntimeClass and DefaultTolerationSeconds."""
    metadata, spec = pod["metadata"], pod["spec"]
    account = spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = account
    if objects.find("serviceaccounts", metadata["namespace"], account) is None:
        named = f"{metadata['namespace']}/{account}"
        why = f'error looking up service account {named}: serviceaccount "{account}" not found'
        raise forbidden(kind.qualified, metadata["name"], why)
    _set_priority(objects, kind, pod)
    if runtime := spec.get("runtimeClassName"):  # no kind of the cluster's: there is none
        raise forbidden(kind.qualified, metadata["name"], f'pod rejected: RuntimeClass "{runtime}" not found')
    tolerations = spec.setdefault("tolerations", [])
    for key in _NOT_READY:
        if not any(_tolerates(entry, key) for entry in tolerations):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _EVICTED_AFTER_S}
            )


def _tolerates(entry: Obj, key: str) -> bool:
    return entry.get("key") in (key, None) and entry.get("effect") in ("NoExecute", None, "")


def _set_priority(objects: Objects, kind: Kind, pod: Obj) -> None:
    spec, name = pod["spec"], pod["spec"].get("priorityClassName")
    if name and not name.startswith("system-"):
        found = objects.find("priorityclasses", None, name)
        if found is None:
            raise forbidden(kind.qualified, pod["metadata"]["name"], f"no PriorityClass with name {name} was found")
        spec["priority"], spec["preemptionPolicy"] = found["value"], found["preemptionPolicy"]
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _job(objects: Objects, kind: Kind, job: Obj) -> None:
    """A Job selects its pods by its own uid, unless it says otherwise."""
    metadata, spec = job["metadata"], job["spec"]
    if spec["manualSelector"]:
        return
    uid, name = metadata["uid"], metadata["name"]
    labels = spec["template"]["metadata"].setdefault("labels", {})
    labels |= {
        "controller-uid": uid,
        "job-name": name,
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
    }
    # One that was given is kept beside it, for validation to refuse.
    given = (spec.get("selector") or {}).get("matchLabels") or {}
    spec["selector"] = {"matchLabels": {**given, "batch.kubernetes.io/controller-uid": uid}}
    if not metadata.get("labels"):
        metadata["labels"] = dict(labels)


def _keep_job_labels(new: Obj, stored: Obj) -> None:
    """A Job that is sent again without what the server has given it keeps it (only a suspended one may change)."""
    spec, before = new.get("spec") or {}, stored["spec"]
    if not before.get("manualSelector") and "selector" not in spec:
        spec["selector"] = before["selector"]


def _service(objects: Objects, kind: Kind, service: Obj) -> None:
    spec = service["spec"]
    if spec["type"] == "ExternalName":
        return
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec.get("clusterIP"):
        spec.setdefault("clusterIPs", [spec["clusterIP"]])


def _claim(objects: Objects, kind: Kind, claim: Obj) -> None:
    """The admission plugins StorageObjectInUseProtection and DefaultStorageClass."""
    _add_finalizer(claim["metadata"], CLAIM_FINALIZER)
    if "storageClassName" not in claim["spec"]:
        classes = [
            found["metadata"]["name"]
            for found in objects.list("storageclasses")
            if (found["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
        ]
        if classes:
            claim["spec"]["storageClassName"] = classes[0]


def _add_finalizer(metadata: Obj, name: str) -> None:
    finalizers = metadata.setdefault("finalizers", [])
    if name not in finalizers:
        finalizers.append(name)


def _keep_addresses(new: Obj, stored: Obj) -> None:
    """A Service that is sent without what the server has given it keeps it.

    Source: k8s.io/kubernetes/pkg/registry/core/service/storage, patchAllocatedValues.
    """
    spec, before = new.get("spec") or {}, stored["spec"]
    needs_address = spec.get("type", "ClusterIP") != "ExternalName" and before.get("type") != "ExternalName"
    if needs_address and not spec.get("clusterIP") and "clusterIP" in before:
        spec["clusterIP"] = before["clusterIP"]
        spec["clusterIPs"] = list(before.get("clusterIPs") or [before["clusterIP"]])
    if spec.get("type") in ("NodePort", "LoadBalancer") and before.get("type") in ("NodePort", "LoadBalancer"):
        numbers = {
            (port.get("protocol", "TCP"), port["port"]): port["nodePort"]
            for port in before.get("ports") or ()
            if "nodePort" in port
        }
        for port in spec.get("ports") or ():
            known = numbers.get((port.get("protocol", "TCP"), port.get("port")))
            if known is not None:
                port.setdefault("nodePort", known)


_PLUGINS: dict[str, Callable[[Objects, Kind, Obj], None]] = {
    "pods": _pod,
    "jobs": _job,
    "services": _service,
    "persistentvolumeclaims": _claim,
}
