"""Addresses for Services: a ClusterIP each, and node ports where asked for.

Source: kubernetes/pkg/registry/core/service (ipallocator, portallocator).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from ipaddress import IPv4Network

from seatrial.clusters.local.controllers.controller import Controller
from seatrial.clusters.local.controllers.objects import Key, Obj, key_of
from seatrial.clusters.local.store import Event
from seatrial.errors import ClusterError

# Loopback addresses, so that clients on this machine and in pods reach them without any set-up.
CLUSTER_IPS = IPv4Network("127.96.0.0/16")
NODE_PORTS = range(30000, 32768)


class ServiceController(Controller):
    """Gives new Services what their type needs."""

    watches = ("services",)

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
        """Drawn at random: two clusters on one machine must not meet, and clients remember one just given back."""
        taken = {service["spec"].get("clusterIP") for service in self.store.list("services")}
        if len(taken) > CLUSTER_IPS.num_addresses // 2:
            raise ClusterError(f"ClusterIPs: expected half of {CLUSTER_IPS} to be free; delete some Services")
        while True:
            address = str(CLUSTER_IPS[random.randrange(1, CLUSTER_IPS.num_addresses - 1)])
            if address not in taken:
                return address

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
