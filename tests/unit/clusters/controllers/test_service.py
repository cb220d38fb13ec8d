"""Addresses of Services."""

from ipaddress import ip_address

from seatrial.clusters.local.controllers.service import CLUSTER_IPS, node_ports

PORT = {"port": 80, "protocol": "TCP"}


async def test_every_service_gets_its_own_loopback_address(plane):
    plane.create("services", "one", {"ports": [PORT]})
    plane.create("services", "two", {"ports": [PORT]})
    await plane.settle()
    addresses = {plane.get("services", name)["spec"]["clusterIP"] for name in ("one", "two")}
    assert len(addresses) == 2
    assert all(ip_address(address) in CLUSTER_IPS for address in addresses)


async def test_an_address_that_was_asked_for_is_kept(plane):
    plane.create("services", "one", {"ports": [PORT], "clusterIP": "127.96.7.7"})
    plane.create("services", "headless", {"ports": [PORT], "clusterIP": "None"})
    await plane.settle()
    assert plane.get("services", "one")["spec"]["clusterIPs"] == ["127.96.7.7"]
    assert plane.get("services", "headless")["spec"]["clusterIPs"] == ["None"]


async def test_a_node_port_service_gets_node_ports(plane):
    plane.create(
        "services",
        "one",
        {"type": "NodePort", "ports": [PORT | {"name": "a", "nodePort": 30080}, {"name": "b", "port": 81}]},
    )
    await plane.settle()
    numbers = [port["nodePort"] for port in plane.get("services", "one")["spec"]["ports"]]
    assert numbers[0] == 30080
    assert numbers[1] in range(30000, 32768)
    assert numbers[1] != 30080


def test_node_ports_in_use_are_not_given_again():
    service = {"spec": {"type": "LoadBalancer", "ports": [PORT, PORT]}}
    assert node_ports(service, taken={30000, 30002}) == [30001, 30003]


def test_a_cluster_ip_service_needs_no_node_ports():
    assert node_ports({"spec": {"type": "ClusterIP", "ports": [PORT]}}, taken=set()) == [None]
