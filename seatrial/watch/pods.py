"""What the watch says of pods: pure functions over changes, used by trials and checks alike."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from seatrial.clock import parsed_s
from seatrial.observation import Change, Pod, Workload
from seatrial.watch.ownership import pods_of


def latest(changes: Sequence[Change], kind: str) -> dict[str, Mapping[str, Any]]:
    """The last known state of each object of a kind that still exists, by name."""
    alive: dict[str, Mapping[str, Any]] = {}
    for change in changes:
        if change.kind == kind:
            if change.type == "DELETED":
                alive.pop(change.name, None)
            else:
                alive[change.name] = change.object
    return alive


def is_ready(pod: Mapping[str, Any]) -> bool:
    """The Ready condition is True."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", ()))


def _as_pod(item: Mapping[str, Any]) -> Pod:
    return Pod(
        item["metadata"]["name"],
        item.get("status", {}).get("podIP", ""),
        item["spec"].get("nodeName", ""),
        item["metadata"]["uid"],
        item["spec"],
    )


def living(changes: Sequence[Change], workload: Workload) -> dict[str, Mapping[str, Any]]:
    """The workload's pods that exist and are not on their way out, by name."""
    own = pods_of(changes, workload)
    return {
        name: item
        for name, item in latest(changes, "Pod").items()
        if name in own and not item["metadata"].get("deletionTimestamp")
    }


def ready_pods(changes: Sequence[Change], workload: Workload) -> tuple[Pod, ...]:
    """The workload's pods that are Ready and not being deleted, oldest first."""
    items = [item for item in living(changes, workload).values() if is_ready(item)]
    items.sort(key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]))
    return tuple(_as_pod(item) for item in items)


def all_pods(changes: Sequence[Change], workload: Workload) -> tuple[Pod, ...]:
    """Every pod of the workload that ever had an address, as last seen."""
    own = pods_of(changes, workload)
    seen: dict[str, Pod] = {}
    for change in changes:
        if change.kind == "Pod" and change.name in own and change.object.get("status", {}).get("podIP"):
            seen[change.name] = _as_pod(change.object)
    return tuple(seen.values())


def of_pod(changes: Sequence[Change], pod: str) -> Iterator[Change]:
    """The changes of one pod."""
    return (change for change in changes if change.kind == "Pod" and change.name == pod)


def gone_at_s(changes: Sequence[Change], pod: Pod) -> float | None:
    """When the pod's object was removed; a StatefulSet makes another of its name then."""
    removals = (change for change in of_pod(changes, pod.name) if change.type == "DELETED")
    return next((change.at_s for change in removals if change.object["metadata"]["uid"] == pod.uid), None)


def namesake_at_s(changes: Sequence[Change], pod: str, after_s: float) -> float:
    """When a later pod of the same name was made, as a StatefulSet makes them; infinite where none was."""
    return next(
        (change.at_s for change in of_pod(changes, pod) if change.type == "ADDED" and change.at_s > after_s), math.inf
    )


def deleted_at_s(changes: Sequence[Change], pod: str, since_s: float = -math.inf) -> float | None:
    """When it was first seen, from since_s on, that a pod of this name is being deleted.

    With a grace period of 0, that is when it is gone.
    """
    leaving = (c for c in of_pod(changes, pod) if c.type == "DELETED" or c.object["metadata"].get("deletionTimestamp"))
    return next((change.at_s for change in leaving if change.at_s >= since_s), None)


def ready_at_s(changes: Sequence[Change], pod: str) -> float | None:
    """When the pod's Ready condition first arrived."""
    return next((change.at_s for change in of_pod(changes, pod) if is_ready(change.object)), None)


@dataclass(frozen=True, slots=True)
class Termination:
    """The end of one life of a container. `finished_s` is to the whole second, on the wall clock's text."""

    container: str
    exit_code: int
    reason: str
    finished_at: str
    seen_s: float


def terminations(changes: Sequence[Change], pod: str) -> tuple[Termination, ...]:
    """Every ended life of the pod's regular containers, once each, in order of arrival.

    Taken from the state and the last state in every event up to and in DELETED (Kubernetes, "Pod Lifecycle":
    the final state is in the object before it is removed). A state that the kubelet made up for a container it lost
    (ContainerStatusUnknown, always 137) says nothing about the container, and is left out.
    """
    found: dict[tuple[str, str], Termination] = {}
    for change in of_pod(changes, pod):
        for status in change.object.get("status", {}).get("containerStatuses", ()):
            for state in (status.get("lastState", {}), status.get("state", {})):
                if (ended := state.get("terminated")) and ended.get("reason") != "ContainerStatusUnknown":
                    life = (status["name"], ended.get("containerID", ""))
                    found.setdefault(
                        life,
                        Termination(
                            status["name"],
                            ended["exitCode"],
                            ended.get("reason") or "",
                            ended.get("finishedAt") or "",
                            change.at_s,
                        ),
                    )
    return tuple(found.values())


def ended_s(end: Termination, wall_origin_s: float) -> float:
    """When a container ended, on the run's clock: up to a second early, for finishedAt has whole seconds.

    The node's clock may be ahead of ours; no end is later than its arrival in the watch, `end.seen_s`.
    """
    return min(parsed_s(end.finished_at, wall_origin_s), end.seen_s) if end.finished_at else end.seen_s


def restarts(changes: Sequence[Change], workload: Workload) -> dict[str, int]:
    """The highest restart count seen of each pod of the workload, regular containers summed."""
    own = pods_of(changes, workload)
    counts: dict[str, int] = {}
    for change in changes:
        if change.kind == "Pod" and change.name in own:
            counts[change.name] = max(restart_count(change.object), counts.get(change.name, 0))
    return counts


def restart_count(pod: Mapping[str, Any]) -> int:
    """How often the pod's regular containers were restarted."""
    return sum(status["restartCount"] for status in pod.get("status", {}).get("containerStatuses", ()))


@dataclass(frozen=True, slots=True)
class EndpointState:
    """The conditions of one address in the EndpointSlices, from one event on."""

    at_s: float
    ready: bool
    serving: bool
    terminating: bool
    present: bool


def endpoint_states(changes: Sequence[Change], pod: str) -> tuple[EndpointState, ...]:
    """How the pod's endpoint changed over all slices, each state once; an absent `ready` or `serving` means yes."""
    slices: dict[str, tuple[bool, bool, bool]] = {}
    states: list[EndpointState] = []
    for change in changes:
        if change.kind != "EndpointSlice":
            continue
        slices.pop(change.name, None)
        if change.type != "DELETED" and (conditions := _conditions(change.object, pod)) is not None:
            slices[change.name] = (
                conditions.get("ready") is not False,
                conditions.get("serving") is not False,
                conditions.get("terminating") is True,
            )
        ready, serving, terminating = (any(each) for each in zip(*slices.values(), strict=True)) if slices else _NONE
        state = EndpointState(change.at_s, ready, serving, terminating, bool(slices))
        if not states or replace(states[-1], at_s=state.at_s) != state:
            states.append(state)
    return tuple(states)


_NONE = (False, False, False)


def _conditions(endpoint_slice: Mapping[str, Any], pod: str) -> Mapping[str, Any] | None:
    for endpoint in endpoint_slice.get("endpoints") or ():
        if (endpoint.get("targetRef") or {}).get("name") == pod:
            conditions: Mapping[str, Any] = endpoint.get("conditions") or {}
            return conditions
    return None


def events(changes: Sequence[Change], workload: Workload, *reasons: str, pod: str = "") -> tuple[Change, ...]:
    """Kubernetes Events with one of the reasons, about one pod of the workload or about any of them."""
    own = pods_of(changes, workload)
    return tuple(
        change
        for change in changes
        if change.kind == "Event"
        and change.type != "DELETED"
        and change.object.get("reason") in reasons
        and (about := change.object.get("involvedObject", {}).get("name")) in own
        and pod in ("", about)
    )


def prestop_sleep_s(spec: Mapping[str, Any], container: str) -> float | None:
    """How long a container's preStop hook sleeps, in seconds: 0 without one, None for a hook that does not say.

    Read are the sleep action, and a `sleep N` among the words of a command.
    """
    chosen = next(c for c in spec["containers"] if container in ("", c["name"]))
    hook = (chosen.get("lifecycle") or {}).get("preStop") or {}
    if not hook:
        return 0.0
    if sleep := hook.get("sleep"):
        return float(sleep.get("seconds", 0))
    found = SLEEP.search(" ".join((hook.get("exec") or {}).get("command") or ()))
    return float(found[1]) if found else None


SLEEP = re.compile(r"(?:^|[\s;&|/])sleep\s+(\d+(?:\.\d+)?)s?(?=$|[\s;&|])")
