"""Addresses for Services: a ClusterIP each, and node ports where asked for.

Source: kubernetes/pkg/registry/core/service (ipallocator, portallocator).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from seatrial.clusters.local.controllers.controller import Controller
from seatrial.clusters.local.controllers.objects import Key, Obj, key_of
from seatrial.clusters.local.store import Event, Store
from seatrial.errors import ClusterError

# Loopback addresses, so that clients on this machine and in pods reach them without any set-up.
CLUSTER_IPS = IPv4Network("127.96.0.0/16")
FIRST_CLUSTER_IP = CLUSTER_IPS.network_address + 10  # the lower ones are for the cluster's own
NODE_PORTS = range(30000, 32768)


class ServiceController(Controller):
    """Gives new Services what their type needs."""

    watches = ("services",)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._next = FIRST_CLUSTER_IP

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.type != "DELETED":
            yield key_of(event.object)

    def reconcile(self, key: Key) -> None:
        service = self.store.find("services", *key)
        if service is None or service["spec"].get("type") == "ExternalName":
            return
        ports = node_ports(service, self._taken_ports())
        address = service["spec"].get("clusterIP") or self._free_address()

        def change(draft: Obj) -> None:
            draft["spec"]["clusterIP"] = address
            draft["spec"]["clusterIPs"] = [address]
            for port, number in zip(draft["spec"].get("ports") or (), ports, strict=True):
                if number is not None:
                    port["nodePort"] = number

        self.store.mutate("services", *key, change, manager="kube-apiserver")

    def _free_address(self) -> str:
        """The next address in turn: one just given back is still in the memory of clients."""
        taken = {service["spec"].get("clusterIP") for service in self.store.list("services")}
        for _ in range(CLUSTER_IPS.num_addresses):
            address, self._next = self._next, _after(self._next)
            if str(address) not in taken:
                return str(address)
        raise ClusterError(f"ClusterIPs: expected a free address in {CLUSTER_IPS}, found none; delete some Services")

    def _taken_ports(self) -> set[int]:
        services = self.store.list("services")
        return {
            port["nodePort"] for found in services for port in found["spec"].get("ports") or () if "nodePort" in port
        }


def node_ports(service: Obj, taken: set[int]) -> list[int | None]:
    """A node port for each port of the Service that needs one and has none yet; None for the others."""
    spec = service["spec"]
    if spec.get("type") not in ("NodePort", "LoadBalancer") or spec.get("allocateLoadBalancerNodePorts") is False:
        return [None] * len(spec.get("ports") or ())
    free = (number for number in NODE_PORTS if number not in taken)
    return [None if port.get("nodePort") else next(free) for port in spec.get("ports") or ()]


def _after(address: IPv4Address) -> IPv4Address:
    following = address + 1
    return following if following < CLUSTER_IPS.broadcast_address else FIRST_CLUSTER_IP
