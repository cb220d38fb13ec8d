"""The one node of the cluster."""

import os
import platform
from dataclasses import dataclass
from typing import Any

from seatrial.clusters.local.store import timestamp

Obj = dict[str, Any]

NODE_NAME = "local-node"
DEFAULT_SCHEDULER = "default-scheduler"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What pods may reserve together.

    Nothing is set aside for real, and several pods may share a core: by default the node is as large as a
    common production node, or as this machine where that is larger.
    """

    cpus: int
    memory_bytes: int
    pods: int = 110
    disk_bytes: int = 200 << 30  # reserved, never counted

    @classmethod
    def default(cls) -> "Capacity":
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(cpus=max(os.cpu_count() or 1, 16), memory_bytes=max(memory_bytes, 64 << 30))


def node_object(capacity: Capacity) -> Obj:
    """The Node as a kubelet registers it, its status included."""
    amounts = {"cpu": str(capacity.cpus), "memory": f"{capacity.memory_bytes >> 10}Ki", "pods": str(capacity.pods)}
    amounts["ephemeral-storage"] = f"{capacity.disk_bytes >> 10}Ki"
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    now = timestamp()
    labels = {"hostname": NODE_NAME, "os": "linux", "arch": architecture}
    return {
        "metadata": {"name": NODE_NAME, "labels": {f"kubernetes.io/{key}": value for key, value in labels.items()}},
        "spec": {},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": NODE_NAME},
            ],
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "KubeletReady",
                    "message": "kubelet is posting ready status",
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": now,
                }
            ],
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kernelVersion": platform.release(),
                "osImage": "processes of this machine",
                "containerRuntimeVersion": "local://1",
                "kubeletVersion": "v1.34.0-seatrial",
                "kubeProxyVersion": "v1.34.0-seatrial",
                "operatingSystem": "linux",
                "architecture": architecture,
            },
        },
    }
