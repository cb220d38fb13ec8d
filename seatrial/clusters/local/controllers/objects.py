"""What the controllers read in objects: owners, selectors, pod states, conditions, times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from seatrial.clusters.local.store import timestamp

Obj = dict[str, Any]
Key = tuple[str, str]  # namespace and name

ABSENT = object()


def key_of(obj: Obj) -> Key:
    """Namespace ("" for cluster-scoped kinds) and name."""
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def uid_of(obj: Obj) -> str:
    uid: str = obj["metadata"]["uid"]
    return uid


def seconds(time: str | None) -> float:
    """An object's time as seconds since the epoch; 0.0 for a time that is not there."""
    return datetime.fromisoformat(time).timestamp() if time else 0.0


def created_s(obj: Obj) -> float:
    return seconds(obj["metadata"].get("creationTimestamp"))


def is_deleted(obj: Obj) -> bool:
    """Its deletion is under way."""
    return "deletionTimestamp" in obj["metadata"]


# -- owners -------------------------------------------------------------------------------------------------------


def controller_of(obj: Obj) -> Obj | None:
    """The one owner reference that manages the object."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None


def controlled_by(obj: Obj, owner: Obj) -> bool:
    """Whether `owner` manages `obj`."""
    controller = controller_of(obj)
    return controller is not None and controller["uid"] == uid_of(owner)


def owner_reference(owner: Obj) -> Obj:
    """A controller reference to `owner`."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


# -- selectors ----------------------------------------------------------------------------------------------------


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a LabelSelector matches; None matches nothing, an empty one everything."""
    if selector is None:
        return False
    labels = labels or {}
    if any(labels.get(key, ABSENT) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:  # DoesNotExist; validation lets nothing else in
            return key not in labels


# -- pods ---------------------------------------------------------------------------------------------------------


def phase_of(pod: Obj) -> str:
    phase: str = (pod.get("status") or {}).get("phase", "Pending")
    return phase


def is_finished(pod: Obj) -> bool:
    """Succeeded or Failed: its containers will not run again."""
    return phase_of(pod) in ("Succeeded", "Failed")


def is_active(pod: Obj) -> bool:
    """Counts as a replica: neither finished nor being deleted."""
    return not is_finished(pod) and not is_deleted(pod)


def is_ready(pod: Obj) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def ready_since_s(pod: Obj) -> float:
    """When a ready pod became ready; 0.0 if it is not."""
    found = condition(pod, "Ready")
    return seconds(found.get("lastTransitionTime")) if found and found["status"] == "True" else 0.0


def is_available(pod: Obj, min_ready_s: int, now_s: float) -> bool:
    """Ready for at least `min_ready_s`."""
    return is_ready(pod) and (min_ready_s == 0 or ready_since_s(pod) + min_ready_s <= now_s)


def restarts(pod: Obj) -> list[int]:
    """The restart counts of its containers, init containers last."""
    status = pod.get("status") or {}
    statuses = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return [container.get("restartCount", 0) for container in statuses]


# -- conditions ---------------------------------------------------------------------------------------------------


def condition(obj: Obj, type_: str) -> Obj | None:
    """The condition of that type in the object's status."""
    return find_condition((obj.get("status") or {}).get("conditions"), type_)


def find_condition(conditions: Iterable[Obj] | None, type_: str) -> Obj | None:
    return next((found for found in conditions or () if found["type"] == type_), None)


def without(conditions: Iterable[Obj] | None, type_: str) -> list[Obj]:
    """The conditions but the one of that type."""
    return [found for found in conditions or () if found["type"] != type_]


def holds(conditions: Iterable[Obj] | None, type_: str) -> bool:
    found = find_condition(conditions, type_)
    return found is not None and found["status"] == "True"


def with_condition(
    conditions: Iterable[Obj] | None, type_: str, status: str, reason: str, message: str, now_s: float
) -> list[Obj]:
    """The conditions with this one put in its place; its transition time changes with its status only."""
    now = timestamp(now_s)
    new = {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": now}
    old = find_condition(conditions, type_)
    if old is not None and old["status"] == status:
        new["lastTransitionTime"] = old.get("lastTransitionTime", now)
    if old is None:
        return [*(conditions or ()), new]
    return [new if found["type"] == type_ else found for found in conditions or ()]


# -- numbers ------------------------------------------------------------------------------------------------------


def scaled(value: int | str, total: int, *, up: bool) -> int:
    """An integer, or a percentage of `total` rounded up or down, as in `maxSurge: 25%`."""
    if isinstance(value, int):
        return value
    percent = int(value.removesuffix("%"))
    return -(-percent * total // 100) if up else percent * total // 100
