"""Why a release does not come up, in one sentence: what the cluster says, how a container ended, its last words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.observation import Change, Log
from seatrial.watch.pods import is_ready, latest

LAST_LINES, LOOKED_AT_LINES, MOST_CHARACTERS = 2, 50, 400
ERROR = re.compile(
    r"\b(error|errno|exception|fatal|panic|cannot|failed|refused|denied)\b|[a-z](Error|Exception)\b", re.IGNORECASE
)
MOST_WARNINGS = 3
REPEATS = ("BackOff",)  # these only say that it happened again


def trouble(changes: Sequence[Change], logs: Sequence[Log]) -> str:
    """About the first pod that is not ready and has not done its work, as a Job's has.

    Where there is none, the cluster's last warnings about anything else, which may be why there is no pod; "" where
    it gave none.
    """
    unready = {
        name: pod
        for name, pod in latest(changes, "Pod").items()
        if not is_ready(pod) and pod.get("status", {}).get("phase") != "Succeeded"
    }
    if not unready:
        pods = {change.name for change in changes if change.kind == "Pod"}
        others = [change for change in changes if _about(change) and _about(change) not in pods]
        last = {_about(change): _warning([change]) for change in others}
        return "; ".join(list(filter(None, last.values()))[-MOST_WARNINGS:])
    name, pod = min(unready.items())
    state, events = state_of(pod), [change for change in changes if _about(change) == name]
    said = "; ".join(filter(None, (state, _killed_by_liveness(events), _warning(events), _last_words(pod, logs))))
    return f"pod {name}: {said or 'not ready, its containers run and its probe fails'}"


def _about(change: Change) -> str:
    """The name of the object that an Event is about; "" for what is no Event."""
    return str(change.object.get("involvedObject", {}).get("name", "")) if change.kind == "Event" else ""


def _warning(changes: Sequence[Change]) -> str:
    """The last Warning among these, as `kubectl describe` has it; "" where there is none."""
    for change in reversed(changes):
        event = change.object
        if change.kind == "Event" and event.get("type") == "Warning" and event.get("reason") not in REPEATS:
            about = event["involvedObject"]
            whose = "" if about.get("kind") == "Pod" else f"{about.get('kind')} {about.get('name')}: "
            return f"{whose}{event.get('reason')}: {' '.join(str(event.get('message', '')).split())}"
    return ""


def _killed_by_liveness(events: Sequence[Change]) -> str:
    """Who ended a container that seems to have exited by itself; "" where nobody did."""
    said = [str(event.object.get("message", "")) for event in events if event.object.get("reason") == "Killing"]
    return next((f"the kubelet killed it: {message}" for message in reversed(said) if "liveness" in message), "")


def state_of(pod: Mapping[str, Any]) -> str:
    """What keeps a pod from being scheduled or its containers from running; "" where nothing does."""
    status = pod.get("status", {})
    parts = [
        f"{each['type']} is False: {each.get('message', '')}"
        for each in status.get("conditions", ())
        if each["type"] == "PodScheduled" and each["status"] == "False"
    ]
    before_others = {each["name"] for each in status.get("initContainerStatuses", ())} - _sidecars(pod)
    for container in _containers(pod):
        if container["name"] in before_others and container.get("ready"):
            continue  # it has done its work
        state, before = container.get("state", {}), container.get("lastState", {})
        if waiting := state.get("waiting"):
            # Of a back-off the message only repeats names; how the container ended is told below.
            message = "" if waiting.get("reason") == "CrashLoopBackOff" else waiting.get("message", "")
            parts.append(f"{container['name']} waits: {waiting.get('reason')}" + (f", {message}" if message else ""))
        if ended := state.get("terminated") or before.get("terminated"):
            parts.append(f"{container['name']} exited with {ended['exitCode']} ({ended.get('reason', '')})")
        elif "running" in state and not container.get("ready"):
            held_up = (
                "the others wait for its end" if container["name"] in before_others else "its readiness probe fails"
            )
            parts.append(f"{container['name']} runs, and {held_up}")
    return "; ".join(parts)


def _last_words(pod: Mapping[str, Any], logs: Sequence[Log]) -> str:
    """Of a container that is not ready, if it said anything; of its last life that ended, else of the one that runs."""
    name, ready = pod["metadata"]["name"], {each["name"]: each.get("ready") for each in _containers(pod)}
    lives = [log for log in logs if log.pod == name and any(text.strip() for _, text in log.lines)]
    last = max(lives, key=lambda log: (not ready.get(log.container), log.previous, log.lines[-1][0]), default=None)
    if last is None:
        return ""
    whose = f"the log of {last.container}" if len(ready) > 1 else "its log"
    lines = [text.strip() for _, text in last.lines[-LOOKED_AT_LINES:] if text.strip()]
    ends = lines[-LAST_LINES:]
    wrong = next((line for line in reversed(lines) if ERROR.search(line)), "")
    before = f"{whose} says: {wrong}; " if wrong and wrong not in ends else ""
    return f"{before}{whose} ends: {' / '.join(ends)}"[:MOST_CHARACTERS]


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The states of a pod's init containers, then of the others."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def _sidecars(pod: Mapping[str, Any]) -> set[str]:
    """The init containers that run beside the others. Source: Kubernetes, "Sidecar Containers"."""
    inits = pod.get("spec", {}).get("initContainers") or ()
    return {each["name"] for each in inits if each.get("restartPolicy") == "Always"}
