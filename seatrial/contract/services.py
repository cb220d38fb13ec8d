"""Where a Service leads: the port of a pod behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seatrial.errors import InputError


def target_port(service: Mapping[str, Any], port: int, pod_spec: Mapping[str, Any]) -> int:
    """The port of a pod to which `port` of the Service leads.

    A number holds whether or not a container declares it; a name is looked up among the ports of the pod's containers;
    without `targetPort` it is the Service's own port. Raises InputError for a port that the Service does not have, and
    for a name that no container declares.
    Source: Kubernetes, "Service", port definitions; `containerPort` is informational.
    """
    name = service["metadata"]["name"]
    offered = {entry["port"]: entry.get("targetPort", entry["port"]) for entry in ports_of(service)}
    if port not in offered:
        raise InputError(f"Service {name}: expected port {port}, found {listed(offered)}; correct the contract's port")
    target = offered[port]
    if isinstance(target, int):
        return target
    declared = {entry["name"]: int(entry["containerPort"]) for entry in _container_ports(pod_spec) if entry.get("name")}
    if target not in declared:
        raise InputError(
            f"Service {name}, port {port}: expected a container with a port named {target!r}, to which it leads, found "
            f"{listed(declared)}; correct its targetPort, or name the port"
        )
    return declared[target]


def ports_of(service: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The TCP ports of a Service, as its spec has them."""
    entries = (service.get("spec") or {}).get("ports") or ()
    return tuple(entry for entry in entries if entry.get("protocol", "TCP") == "TCP")


def wanted_in_vain(service: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """What the selector of a Service wants and pods with these labels lack: such pods are none of its endpoints.

    Nothing of one without a selector, whose endpoints are somebody else's doing.
    """
    selector = (service.get("spec") or {}).get("selector") or {}
    return {key: value for key, value in selector.items() if labels.get(key) != value}


def listed(names: Iterable[Any]) -> str:
    """Names or numbers for a message."""
    return ", ".join(map(str, names)) or "none"


def _container_ports(pod_spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Those of containers and of sidecars, which are init containers that restart."""
    sidecars = (c for c in pod_spec.get("initContainers") or () if c.get("restartPolicy") == "Always")
    for container in (*pod_spec["containers"], *sidecars):
        yield from container.get("ports") or ()
