"""Why a pod is not ready, in one sentence: what the kubelet says, how the container ended, its last words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.observation import Change, Log
from seatrial.watch.pods import is_ready, latest

LAST_LINES = 2


def trouble(changes: Sequence[Change], logs: Sequence[Log]) -> str:
    """About the first pod that is not ready and has not done its work, as a Job's has; "" where there is none."""
    unready = {
        name: pod
        for name, pod in latest(changes, "Pod").items()
        if not is_ready(pod) and pod.get("status", {}).get("phase") != "Succeeded"
    }
    if not unready:
        return ""
    name, pod = min(unready.items())
    said = "; ".join(filter(None, (state_of(pod), _last_words(name, logs))))
    return f"pod {name}: {said or 'not ready, its containers run and its probe fails'}"


def state_of(pod: Mapping[str, Any]) -> str:
    """What keeps a pod from being scheduled or its containers from running; "" where nothing does."""
    status = pod.get("status", {})
    parts = [
        f"{each['type']} is False: {each.get('message', '')}"
        for each in status.get("conditions", ())
        if each["type"] == "PodScheduled" and each["status"] == "False"
    ]
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        state, before = container.get("state", {}), container.get("lastState", {})
        if waiting := state.get("waiting"):
            # Of a back-off the message only repeats names; how the container ended is told below.
            message = "" if waiting.get("reason") == "CrashLoopBackOff" else waiting.get("message", "")
            parts.append(f"{container['name']} waits: {waiting.get('reason')}" + (f", {message}" if message else ""))
        if ended := state.get("terminated") or before.get("terminated"):
            parts.append(f"{container['name']} exited with {ended['exitCode']} ({ended.get('reason', '')})")
        elif "running" in state and not container.get("ready"):
            parts.append(f"{container['name']} runs, and its readiness probe fails")
    return "; ".join(parts)


def _last_words(pod: str, logs: Sequence[Log]) -> str:
    """Of the last life that ended, else of the one that runs."""
    lives = [log for log in logs if log.pod == pod and log.lines]
    last = max(lives, key=lambda log: (log.previous, log.lines[-1][0]), default=None)
    if last is None:
        return ""
    return f"its log ends: {' / '.join(text.strip() for _, text in last.lines[-LAST_LINES:])}"[:300]
