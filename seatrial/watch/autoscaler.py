"""What the watch says of autoscalers and of the replicas they ask for: pure functions over changes.

Source: Kubernetes, "Horizontal Pod Autoscaling": desired = ceil(current x metric / target), nothing within a
tolerance of 0.1. A sync is a change of an autoscaler's status.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.observation import Change, Workload
from seatrial.watch.pods import is_ready

TOLERANCE = 0.1
KIND = "HorizontalPodAutoscaler"
KEPT_UP = "ScaleDownStabilized"
LIMITED = frozenset({"ScaleUpStabilized", KEPT_UP, "ScaleUpLimit", "ScaleDownLimit", "BackoffBoth"})


@dataclass(frozen=True, slots=True)
class Sync:
    """The autoscaler's status as it arrived. `percent` is None where it had no CPU utilisation."""

    at_s: float
    autoscaler: str
    current: int
    desired: int
    percent: int | None
    container: str  # whose CPU it is; "" for the whole pod's
    conditions: Mapping[str, tuple[str, str, str]]  # by type: status, reason, message
    steady: bool  # the sync before counted as many pods

    @property
    def active(self) -> bool:
        """It could read its metric."""
        return self.conditions.get("ScalingActive", ("", "", ""))[0] == "True"

    @property
    def limited(self) -> bool:
        """A rate or a stabilisation window held it back; the bounds do not count."""
        return any(reason in LIMITED for _, reason, _ in self.conditions.values())

    @property
    def kept_up(self) -> bool:
        """Nothing but the stabilisation window for scaling down held it back, if anything did.

        It asks for at least as much as the formula does at this moment.
        """
        return not any(reason in LIMITED - {KEPT_UP} for _, reason, _ in self.conditions.values())


def autoscalers(changes: Sequence[Change], workload: Workload) -> tuple[str, ...]:
    """The names of all autoscalers that ever targeted the workload."""
    names = {
        change.name
        for change in changes
        if change.kind == KIND
        and change.type != "DELETED"
        and change.object["spec"]["scaleTargetRef"].get("kind") == workload.kind
        and change.object["spec"]["scaleTargetRef"].get("name") == workload.name
    }
    return tuple(sorted(names))


def syncs(changes: Sequence[Change], autoscaler: str) -> tuple[Sync, ...]:
    """Each status once, in order of arrival; the empty one before the first is left out."""
    found: list[Sync] = []
    before = ""
    for change in changes:
        status = change.object.get("status") or {}
        text = json.dumps(status, sort_keys=True)
        if change.kind != KIND or change.name != autoscaler or change.type == "DELETED" or text == before:
            continue
        before = text
        if not status.get("conditions"):
            continue
        percent, container = _utilisation(status)
        found.append(
            Sync(
                change.at_s,
                autoscaler,
                int(status.get("currentReplicas", 0)),
                int(status.get("desiredReplicas", 0)),
                percent,
                container,
                {c["type"]: (c["status"], c.get("reason", ""), c.get("message", "")) for c in status["conditions"]},
                bool(found) and found[-1].current == int(status.get("currentReplicas", 0)),
            )
        )
    return tuple(found)


def _utilisation(status: Mapping[str, Any]) -> tuple[int | None, str]:
    for metric in status.get("currentMetrics") or ():
        source = (metric or {}).get("resource") or (metric or {}).get("containerResource") or {}
        if source.get("name") == "cpu" and "averageUtilization" in source.get("current", {}):
            return int(source["current"]["averageUtilization"]), source.get("container", "")
    return None, ""


def unclamped(current: int, percent: int, target: int) -> int:
    """What the formula asks for before minimum and maximum."""
    ratio = percent / target
    return current if 1 - TOLERANCE <= ratio <= 1 + TOLERANCE else math.ceil(ratio * current)


def on_edge(percent: int, target: int) -> bool:
    """Exactly at the tolerance, where a rounding error decides, and not the same one in every version."""
    return math.isclose(abs(percent / target - 1), TOLERANCE)


@dataclass(frozen=True, slots=True)
class ReplicaChange:
    """`spec.replicas` of a workload, from a watch event on."""

    at_s: float
    replicas: int


def replica_changes(changes: Sequence[Change], workload: Workload) -> tuple[ReplicaChange, ...]:
    """Every value that `spec.replicas` had, each once."""
    found: list[ReplicaChange] = []
    for change in changes:
        if (change.kind, change.name) == (workload.kind, workload.name) and change.type != "DELETED":
            replicas = int(change.object["spec"].get("replicas", 1))
            if not found or found[-1].replicas != replicas:
                found.append(ReplicaChange(change.at_s, replicas))
    return tuple(found)


def ready_since_s(changes: Sequence[Change], pod: str) -> float | None:
    """Since when the pod has been Ready without a break; None if it is not."""
    since_s: float | None = None
    for change in changes:
        if change.kind == "Pod" and change.name == pod:
            if not is_ready(change.object):
                since_s = None
            elif since_s is None:
                since_s = change.at_s
    return since_s
