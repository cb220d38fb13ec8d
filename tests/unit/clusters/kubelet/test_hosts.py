"""Names of Services in /etc/hosts."""

from pathlib import Path

import pytest

from seatrial.clusters.local.kubelet.hosts import hosts_file, write

POD = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {}}


def service(name: str, namespace: str = "shop", address: str = "127.96.0.1"):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": address}}


def names(text: str) -> dict[str, list[str]]:
    """Names by address."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *rest = line.split("\t")
        found.setdefault(address, []).extend(rest)
    return found


def test_a_service_of_the_namespace_has_four_names() -> None:
    seen = names(hosts_file(POD, "127.64.0.1", [service("pg")], []))
    assert seen["127.96.0.1"] == ["pg", "pg.shop", "pg.shop.svc", "pg.shop.svc.cluster.local"]
    assert seen["127.64.0.1"] == ["web"]


def test_a_service_of_another_namespace_has_no_short_name() -> None:
    seen = names(hosts_file(POD, "127.64.0.1", [service("pg", "bank")], []))
    assert seen["127.96.0.1"] == ["pg.bank", "pg.bank.svc", "pg.bank.svc.cluster.local"]


def test_a_headless_service_stands_for_its_ready_endpoints() -> None:
    endpoints = [
        {"addresses": ["127.64.0.2"], "conditions": {"ready": True}, "hostname": "pg-0"},
        {"addresses": ["127.64.0.3"], "conditions": {"ready": False}},
    ]
    labels = {"kubernetes.io/service-name": "pg"}
    part = {"metadata": {"namespace": "shop", "labels": labels}, "endpoints": endpoints}
    seen = names(hosts_file(POD, "127.64.0.1", [service("pg", address="None")], [part]))
    assert "pg" in seen["127.64.0.2"]
    assert "pg-0.pg.shop.svc.cluster.local" in seen["127.64.0.2"]
    assert "127.64.0.3" not in seen


def external(name: str):
    return {"metadata": {"name": "models", "namespace": "shop"}, "spec": {"type": "ExternalName", "externalName": name}}


@pytest.mark.parametrize("dot", ["", "."])
def test_an_external_name_stands_for_the_service_that_it_names(dot: str) -> None:
    meant = external(f"store.bank.svc.cluster.local{dot}")
    seen = names(hosts_file(POD, "127.64.0.1", [meant, service("store", "bank")], []))
    assert seen["127.96.0.1"][3:] == ["models", "models.shop", "models.shop.svc", "models.shop.svc.cluster.local"]


def test_an_external_name_of_a_headless_service_stands_for_each_of_its_endpoints() -> None:
    addresses = ["127.64.0.2", "127.64.0.3"]
    endpoints = [{"addresses": [each], "conditions": {"ready": True}} for each in addresses]
    part = {"metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "pg"}}, "endpoints": endpoints}
    services = [external("pg.shop.svc.cluster.local"), service("pg", address="None")]
    seen = names(hosts_file(POD, "127.64.0.1", services, [part]))
    assert all("models" in seen[each] for each in addresses)


@pytest.mark.parametrize("name", ["pg", "pg.shop.svc", "models.example.com", "gone.shop.svc.cluster.local"])
def test_an_external_name_that_is_no_whole_name_of_a_service_leads_nowhere(name: str) -> None:
    text = hosts_file(POD, "127.64.0.1", [external(name), service("pg")], [])
    assert "models" not in text


def test_the_file_is_changed_in_place(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    write(path, "127.0.0.1\tlocalhost longer\n")
    inode = path.stat().st_ino
    write(path, "127.0.0.1\tlocalhost\n")
    assert (path.stat().st_ino, path.read_text()) == (inode, "127.0.0.1\tlocalhost\n")
