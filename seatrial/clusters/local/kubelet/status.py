"""The status of a pod, worked out from what its containers are doing. Pure.

Source: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ and the kubelet's getPhase and status package.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Obj = dict[str, Any]


def waiting(reason: str, message: str = "") -> Obj:
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


@dataclass(slots=True)
class ContainerRecord:
    """What is known of one container of a pod."""

    name: str
    image: str
    init: bool = False
    sidecar: bool = False  # an init container that is always restarted
    state: Obj = field(default_factory=lambda: waiting("ContainerCreating"))
    last_state: Obj = field(default_factory=dict)
    restart_count: int = 0
    started: bool = False
    ready: bool = False
    container_id: str = ""
    image_id: str = ""  # of what stands for the image, once it is known

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """Of the last run that ended, also while the next one is waited for; None: none has."""
        terminated = self.state.get("terminated") or (None if self.running else self.last_state.get("terminated"))
        return int(terminated["exitCode"]) if terminated else None

    @property
    def initialized(self) -> bool:
        """Whether the next init container may start."""
        return self.started if self.sidecar else "terminated" in self.state and self.exit_code == 0

    def status(self) -> Obj:
        """The entry of containerStatuses or initContainerStatuses."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id,
            **({"containerID": self.container_id} if self.container_id else {}),
            "state": self.state,
            "lastState": self.last_state,
            "restartCount": self.restart_count,
            "started": self.started,
            "ready": self.ready,
        }


def phase(restart_policy: str, inits: Sequence[ContainerRecord], mains: Sequence[ContainerRecord], ended: bool) -> str:
    """`ended`: nothing will be started any more."""
    if ended:
        codes = [main.exit_code for main in mains]
        return "Succeeded" if all(code == 0 for code in codes) else "Failed"
    if not all(init.initialized or (init.sidecar and init.exit_code is not None) for init in inits):
        return "Pending"
    if any(not main.running and main.exit_code is None for main in mains):
        return "Pending"
    if any(main.running for main in mains) or restart_policy == "Always":
        return "Running"
    if all(main.exit_code == 0 for main in mains):
        return "Succeeded"
    return "Failed" if restart_policy == "Never" else "Running"


def conditions(
    pod: Obj, phase_now: str, inits: Sequence[ContainerRecord], mains: Sequence[ContainerRecord], *, has_sandbox: bool
) -> list[Obj]:
    """The kubelet's conditions, without their times."""
    done = phase_now == "Succeeded"
    uninitialized = [init.name for init in inits if not init.initialized]
    counted = [*(init for init in inits if init.sidecar), *mains]
    unready = [container.name for container in counted if not container.ready]
    initialized = _condition(
        "Initialized", not uninitialized or done, "ContainersNotInitialized", "incomplete", uninitialized
    )
    if done:
        initialized["reason"] = "PodCompleted"
    containers_ready = _condition("ContainersReady", not unready, "ContainersNotReady", "unready", unready)
    if phase_now in ("Succeeded", "Failed"):
        reason = "PodCompleted" if done else "PodFailed"
        containers_ready = {"type": "ContainersReady", "status": "False", "reason": reason}
    ready = containers_ready | {"type": "Ready"}
    missing = _missing_gates(pod)
    if ready["status"] == "True" and missing:
        message = f'corresponding condition of pod readiness gate "{missing[0]}" does not exist or is not True.'
        ready = {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": message}
    return [
        {"type": "PodReadyToStartContainers", "status": str(has_sandbox)},
        initialized,
        ready,
        containers_ready,
        {"type": "PodScheduled", "status": "True"},
    ]


def _condition(type_: str, holds: bool, reason: str, adjective: str, names: Sequence[str]) -> Obj:
    if holds:
        return {"type": type_, "status": "True"}
    message = f"containers with {adjective} status: [{' '.join(names)}]"
    return {"type": type_, "status": "False", "reason": reason, "message": message}


def _missing_gates(pod: Obj) -> list[str]:
    stored = (pod.get("status") or {}).get("conditions") or ()
    true = {condition["type"] for condition in stored if condition["status"] == "True"}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    return [gate for gate in gates if gate not in true]


def with_times(new: Sequence[Obj], old: Sequence[Obj], now: str) -> list[Obj]:
    """The conditions with the time of their last change of status; those of others (gates) are kept."""
    before = {condition["type"]: condition for condition in old}
    dated = []
    for condition in new:
        last = before.pop(condition["type"], None)
        unchanged = last is not None and last["status"] == condition["status"]
        since = last.get("lastTransitionTime", now) if last is not None and unchanged else now
        dated.append(condition | {"lastProbeTime": None, "lastTransitionTime": since})
    return dated + list(before.values())


def qos_class(pod: Obj) -> str:
    """Guaranteed, Burstable or BestEffort, by requests and limits of CPU and memory."""
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    resources = [container.get("resources") or {} for container in containers]
    amounts = [(one.get("requests") or {}, one.get("limits") or {}) for one in resources]
    if not any(requests or limits for requests, limits in amounts):
        return "BestEffort"
    guaranteed = all(
        limits.get(name) is not None and requests.get(name, limits[name]) == limits[name]
        for requests, limits in amounts
        for name in ("cpu", "memory")
    )
    return "Guaranteed" if guaranteed else "Burstable"
