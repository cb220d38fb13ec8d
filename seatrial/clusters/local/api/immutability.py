"""Fields that never change once an object is stored.

Source: k8s.io/kubernetes/pkg/apis/*/validation, the `Validate...Update` functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.problems import Problem, wrong
from seatrial.clusters.local.api.quantity import value as amount

Obj = dict[str, Any]

IMMUTABLE = "field is immutable"
_FIELDS = {
    "deployments": ("spec.selector",),
    "replicasets": ("spec.selector",),
    "daemonsets": ("spec.selector",),
    "jobs": ("spec.selector", "spec.completionMode", "spec.manualSelector", "spec.template"),
    "secrets": ("type",),
    "storageclasses": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "priorityclasses": ("value", "preemptionPolicy"),
    "endpointslices": ("addressType",),
}
_STATEFUL_SET_MUTABLE = {
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
}  # fmt: skip
_POD_RULE = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_STATEFUL_SET_RULE = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
    "forbidden"
)
_CLAIM_RULE = (
    "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
    "claims"
)


def changes(kind: Kind, new: Obj, stored: Obj, subresource: str | None) -> Iterator[Problem]:
    """The immutable fields that differ."""
    for path in _FIELDS.get(kind.resource, ()):
        if _at(new, path) != _at(stored, path):
            yield wrong(path, _at(new, path), IMMUTABLE)
    match kind.resource:
        case "pods" if subresource is None and _frozen(new["spec"], stored["spec"]) != _frozen(stored["spec"], {}):
            yield ("FieldValueForbidden", "spec", _POD_RULE)
        case "statefulsets" if _without(new["spec"]) != _without(stored["spec"]):
            yield ("FieldValueForbidden", "spec", _STATEFUL_SET_RULE)
        case "configmaps" | "secrets" if stored.get("immutable"):
            if new.get("immutable") is not True:
                yield ("FieldValueForbidden", "immutable", "Forbidden: field is immutable when `immutable` is set")
            for field in ("data", "binaryData"):
                if new.get(field) != stored.get(field):
                    yield ("FieldValueForbidden", field, "Forbidden: field is immutable when `immutable` is set")
        case "rolebindings" | "clusterrolebindings" if new["roleRef"] != stored["roleRef"]:
            yield wrong("roleRef", new["roleRef"], "cannot change roleRef")
        case "services":
            yield from _service(new["spec"], stored["spec"])
        case "persistentvolumeclaims":
            yield from _claim(new["spec"], stored["spec"], bound=stored["status"].get("phase") == "Bound")


def _at(obj: Obj, path: str) -> Any:
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _without(spec: Obj) -> Obj:
    return {key: value for key, value in spec.items() if key not in _STATEFUL_SET_MUTABLE}


def _frozen(spec: Obj, before: Obj) -> Obj:
    """A pod's spec without what may change; a node may be given once."""
    kept = {
        key: value
        for key, value in spec.items()
        if key not in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")
        and not (key == "nodeName" and before and not before.get("nodeName"))
        and key != "ephemeralContainers"
    }
    for field in ("containers", "initContainers"):
        if field in kept:
            kept[field] = [
                {key: value for key, value in container.items() if key != "image"} for container in kept[field]
            ]
    return kept


def _service(spec: Obj, before: Obj) -> Iterator[Problem]:
    kept = before.get("clusterIP")
    external = "ExternalName" in (spec.get("type"), before.get("type"))
    if kept and not external and spec.get("clusterIP") != kept:
        yield wrong("spec.clusterIPs[0]", spec.get("clusterIPs"), "may not change once set")


def _claim(spec: Obj, before: Obj, *, bound: bool) -> Iterator[Problem]:
    free = ("volumeAttributesClassName", "volumeName", *(("resources",) if bound else ()))
    kept = {key: value for key, value in spec.items() if key not in free}
    was = {key: value for key, value in before.items() if key not in free}
    renamed = before.get("volumeName") and spec.get("volumeName") != before.get("volumeName")
    # A class may be filled in later, by whoever binds the claim.
    if not before.get("storageClassName"):
        kept.pop("storageClassName", None)
        was.pop("storageClassName", None)
    if kept != was or renamed:
        yield ("FieldValueForbidden", "spec", _CLAIM_RULE)
    if bound and _storage(spec) < _storage(before):
        why = "Forbidden: field can not be less than status.capacity"
        yield ("FieldValueForbidden", "spec.resources.requests.storage", why)


def _storage(spec: Obj) -> Decimal:
    return amount(str(spec["resources"]["requests"]["storage"]))
