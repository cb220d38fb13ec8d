"""What a watch shows of a pod that is deleted, as far as reports look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seatrial.observation import Change


@dataclass(frozen=True, slots=True)
class Round:
    index: int
    victim: str
    victim_ip: str
    deleted_s: float
    sigterm_due_s: float
    drain_sign_s: float | None
    gone_s: float | None


def pod_object(name: str, *, ready: bool = True, deleted: bool = False, exit_code: int | None = None) -> dict[str, Any]:
    """A Pod as the watch shows it, as far as reports look."""
    state = {"running": {}} if exit_code is None else {"terminated": {"exitCode": exit_code, "containerID": name}}
    return {
        "metadata": {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "server", "restartCount": 0, "state": state}],
        },
    }


def slice_object(**conditions: dict[str, bool]) -> dict[str, Any]:
    """An EndpointSlice with the conditions of each pod."""
    return {"endpoints": [{"targetRef": {"name": pod}, "conditions": of} for pod, of in conditions.items()]}


UP = {"ready": True, "serving": True, "terminating": False}
ENDING = {"ready": False, "serving": True, "terminating": True}


def deletion_changes(round: Round, at_s: float, exit_s: float) -> Iterator[Change]:
    """The watch of one deletion: the pod ready from at_s on, its container gone at exit_s."""
    pod, zero = round.victim, round.deleted_s
    yield Change(at_s, "Pod", "ADDED", pod, pod_object(pod))
    yield Change(at_s + 0.1, "EndpointSlice", "MODIFIED", "svc", slice_object(**{pod: UP, "other": UP}))
    yield Change(zero + 0.02, "Pod", "MODIFIED", pod, pod_object(pod, deleted=True))
    yield Change(zero + 0.06, "EndpointSlice", "MODIFIED", "svc", slice_object(**{pod: ENDING, "other": UP}))
    yield Change(exit_s, "Pod", "MODIFIED", pod, pod_object(pod, deleted=True, ready=False, exit_code=0))
    yield Change(exit_s + 0.05, "EndpointSlice", "MODIFIED", "svc", slice_object(other=UP))
    if round.gone_s is not None:
        yield Change(round.gone_s, "Pod", "DELETED", pod, pod_object(pod, deleted=True, ready=False, exit_code=0))
