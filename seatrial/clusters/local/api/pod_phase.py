"""How `kubectl get pods` sums up a pod in one word and two counts.

Source: k8s.io/kubernetes/pkg/printers/internalversion, printPod.
"""

from __future__ import annotations

from typing import Any

from seatrial.clusters.local.api import durations

Obj = dict[str, Any]


def ready_count(pod: Obj) -> str:
    """Ready containers of all, sidecars included: `1/2`."""
    names = {container["name"] for container in pod["spec"].get("containers") or ()} | _sidecars(pod)
    ready = sum(1 for entry in _statuses(pod) if entry.get("ready") and entry["name"] in names)
    return f"{ready}/{len(names)}"


def restarts(pod: Obj) -> str:
    """How often containers were restarted, and how long ago the last one ended: `3 (20s ago)`."""
    status = pod.get("status") or {}
    initialised = _init_reason(pod) is None
    shown = status.get("containerStatuses") or () if initialised else status.get("initContainerStatuses") or ()
    if initialised:
        sidecars = _sidecars(pod)
        shown = [*shown, *(e for e in status.get("initContainerStatuses") or () if e["name"] in sidecars)]
    total = sum(entry.get("restartCount", 0) for entry in shown)
    ended = [entry.get("lastState", {}).get("terminated", {}).get("finishedAt") for entry in shown]
    last = max((time for time in ended if time), default=None)
    return f"{total} ({durations.since(last)} ago)" if total and last else str(total)


def pod_reason(pod: Obj) -> str:
    """The STATUS column: the phase, or what keeps the pod from it."""
    status = pod.get("status") or {}
    reason = status.get("reason") or status.get("phase") or "Unknown"
    if any(entry["type"] == "PodScheduled" and entry.get("reason") == "SchedulingGated" for entry in _conditions(pod)):
        reason = "SchedulingGated"
    initialising = _init_reason(pod)
    reason = _container_reason(pod, reason) if initialising is None else initialising
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return str(reason)


def _container_reason(pod: Obj, reason: str) -> str:
    running = False
    for entry in reversed((pod.get("status") or {}).get("containerStatuses") or []):
        state = entry.get("state") or {}
        waiting, ended = state.get("waiting"), state.get("terminated")
        if waiting and waiting.get("reason"):
            reason = waiting["reason"]
        elif ended:
            reason = _exit_reason(ended)
        elif entry.get("ready") and state.get("running") is not None:
            running = True
    if reason == "Completed" and running:
        ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in _conditions(pod))
        return "Running" if ready else "NotReady"
    return reason


def _init_reason(pod: Obj) -> str | None:
    """`Init:0/2` and the like while init containers hold the pod back, else None."""
    sidecars = _sidecars(pod)
    entries = (pod.get("status") or {}).get("initContainerStatuses") or []
    for index, entry in enumerate(entries):
        state = entry.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting")
        if ended and ended.get("exitCode") == 0:
            continue
        if entry["name"] in sidecars and entry.get("started"):
            continue
        if ended:
            return f"Init:{_exit_reason(ended)}"
        if waiting and waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(pod['spec'].get('initContainers') or ())}"
    return None


def _exit_reason(ended: Obj) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _sidecars(pod: Obj) -> set[str]:
    return {
        entry["name"] for entry in pod["spec"].get("initContainers") or () if entry.get("restartPolicy") == "Always"
    }


def _statuses(pod: Obj) -> list[Obj]:
    status = pod.get("status") or {}
    return [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]


def _conditions(pod: Obj) -> list[Obj]:
    return (pod.get("status") or {}).get("conditions") or []
