"""Which pods are a workload's: pure functions over changes, by owners or by labels, never by namespace.

Source: Kubernetes, "Owners and Dependents": a Deployment owns ReplicaSets, which own its pods; a StatefulSet owns
its pods. Pods that a program makes at run time may have no owner at all; their labels tell them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.observation import Change, Observation, Workload

SERVICE_NAME = "kubernetes.io/service-name"


def pods_of(changes: Sequence[Change], workload: Workload) -> frozenset[str]:
    """The names of all pods that ever were the workload's."""
    owners = {(workload.kind, workload.name)}
    owners |= {
        ("ReplicaSet", change.name) for change in changes if change.kind == "ReplicaSet" and _owned(change, owners)
    }
    pods = [change for change in changes if change.kind == "Pod"]
    if workload.selector:
        return frozenset(pod.name for pod in pods if has_labels(pod.object, workload.selector))
    return frozenset(pod.name for pod in pods if _owned(pod, owners))


def own_changes(seen: Observation) -> tuple[Change, ...]:
    """The timeline without what is not about the subject: other pods, events about them, other Services' endpoints."""
    changes, subject = seen.timeline.changes, seen.subject
    meant = {"", *pods_of(changes, subject)}
    return tuple(
        change
        for change in changes
        if _pod_meant(change) in meant and subject.service in ("", _service_of(change) or subject.service)
    )


def bystanders(changes: Sequence[Change], workload: Workload) -> dict[str, str]:
    """The pods that were watched and are not the workload's, by name, each with its owner as "Kind name" ("" of none).

    Of a Deployment's pod the owner is the Deployment, as far as its ReplicaSet was watched.
    """
    own = pods_of(changes, workload)
    above = {
        change.name: owner for change in changes if change.kind == "ReplicaSet" for owner in _owners(change.object)
    }
    found = {}
    for change in changes:
        if change.kind == "Pod" and change.name not in own:
            kind, name = next(iter(_owners(change.object)), ("", ""))
            kind, name = above.get(name, (kind, name)) if kind == "ReplicaSet" else (kind, name)
            found[change.name] = f"{kind} {name}".strip()
    return found


def has_labels(item: Mapping[str, Any], selector: Mapping[str, str]) -> bool:
    """An object carries every label of the selector."""
    labels = item.get("metadata", {}).get("labels") or {}
    return all(labels.get(key) == value for key, value in selector.items())


def _pod_meant(change: Change) -> str:
    """The pod that a change is, or that an Event is about; "" for all else."""
    if change.kind == "Pod":
        return change.name
    meant = change.object.get("involvedObject") or {} if change.kind == "Event" else {}
    return str(meant.get("name", "")) if meant.get("kind", "Pod") == "Pod" else ""


def _service_of(change: Change) -> str:
    """The Service of an EndpointSlice; "" for all else."""
    metadata = change.object.get("metadata", {}) if change.kind == "EndpointSlice" else {}
    return str((metadata.get("labels") or {}).get(SERVICE_NAME, ""))


def _owned(change: Change, owners: set[tuple[str, str]]) -> bool:
    return any(owner in owners for owner in _owners(change.object))


def _owners(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    references = item.get("metadata", {}).get("ownerReferences") or ()
    return [(reference["kind"], reference["name"]) for reference in references]
