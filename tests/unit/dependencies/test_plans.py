"""From a contract to the objects of a dependency: by images where there are some, by programs of this machine else."""

import json
import shutil

import pytest
import yaml

from seatrial.contract import read_contract
from seatrial.dependencies import postgres, s3
from seatrial.dependencies.kinds import plan
from seatrial.errors import InputError

AGENT = "registry.example/seatrial/agent:0"
MINIMAL = {
    "apiVersion": "seatrial/v1",
    "name": "echo",
    "inference": {"path": "/echo", "cases": {"count": 16, "request": {"n": "{i}"}, "expect": {"n": "{i}"}}},
}


@pytest.fixture
def planned(tmp_path):
    def make(dependency, *, images=True):
        file = tmp_path / "contract.yaml"
        file.write_text(yaml.safe_dump({**MINIMAL, "dependencies": {"store": dependency}}))
        return plan("store", read_contract(file).dependencies.root["store"], file, AGENT, images=images)

    return make


def objects(plan):
    return {(made["kind"], made["metadata"]["name"]): made for made in plan.objects()}


def test_a_service_leads_to_the_gate_and_the_gate_to_the_server(planned):
    made = objects(planned({"postgres": {"service": "db", "port": 6432}}))
    asked, behind = made["Service", "db"]["spec"], made["Service", "store-backend"]["spec"]
    gate, server = made["Pod", "store-gate"], made["Pod", "store-backend"]
    assert asked["selector"] == gate["metadata"]["labels"]
    assert behind["selector"] == server["metadata"]["labels"] != gate["metadata"]["labels"]
    assert (asked["ports"][0]["port"], behind["ports"][0]["port"]) == (6432, 5432)
    assert {asked["clusterIP"], behind["clusterIP"]} == {"None"}
    (proxy,) = gate["spec"]["containers"]
    assert proxy["image"] == AGENT
    assert proxy["command"][-4:] == ["--port", "6432", "--backend", "store-backend:5432"]


@pytest.mark.parametrize("kind", [{"s3": {}}, {"http": {"routes": [{"path": "/"}]}}])
def test_the_gate_counts_requests_of_http(planned, kind):
    assert objects(planned(kind))["Pod", "store-gate"]["spec"]["containers"][0]["command"][-1] == "--http"


def test_passwords_are_in_secrets_alone(planned):
    made = objects(planned({"postgres": {"password": "a-marked-password"}}))
    holding = {key for key, manifest in made.items() if "a-marked-password" in json.dumps(manifest)}
    assert holding == {("Secret", "store"), ("Secret", "store-backend")}


def test_passwords_that_nobody_chose_are_new_each_time(planned):
    first, second = (objects(planned({"postgres": {}}))["Secret", "store"]["stringData"] for _ in range(2))
    assert len(first["password"]) == 32
    assert first["password"] != second["password"]
    assert first["password"] in first["url"]


def test_images_serve_where_there_are_images(planned):
    database, store = planned({"postgres": {"image": "mirror/postgres:16"}}), planned({"s3": {}})
    assert (database.server.image, database.server.stands_by) == ("mirror/postgres:16", "image mirror/postgres:16")
    assert (store.server.image, store.server.command) == ("minio/minio", ())
    for container in objects(database)["Pod", "store-backend"]["spec"]["containers"]:
        assert container["imagePullPolicy"] == "IfNotPresent"


def test_where_pods_are_processes_no_image_of_a_dependency_is_named(planned):
    """Its name would not say what runs."""
    for kind in ({"postgres": {}}, {"s3": {}}, {"http": {"routes": [{"path": "/"}]}}):
        plan = planned(kind, images=False)
        assert plan.server.image == AGENT
        assert plan.server.stands_by.startswith(("process ", "canned answers of Seatrial "))


def test_a_port_below_1024_may_be_listened_on_by_any_user(planned):
    listens = {"http": {"port": 80, "routes": [{"path": "/"}]}}
    gate = objects(planned(listens))["Pod", "store-gate"]["spec"]
    assert gate["securityContext"]["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert "securityContext" not in objects(planned({"s3": {}}))["Pod", "store-gate"]["spec"]


def test_a_missing_seed_is_told_by_its_key(planned, tmp_path):
    with pytest.raises(InputError, match=r"contract.yaml, dependencies.store.postgres.seed: expected a text file"):
        planned({"postgres": {"seed": "seed.sql"}})
    with pytest.raises(InputError, match=r"dependencies.store.s3.seed: expected a folder of files .* no such folder"):
        planned({"s3": {"seed": "models"}})
    (tmp_path / "models").mkdir()
    with pytest.raises(InputError, match="found an empty one"):
        planned({"s3": {"seed": "models"}})


@pytest.mark.parametrize(("size", "fits"), [(1_000_000, True), (1_000_001, False)])
def test_sql_has_to_fit_into_a_config_map(planned, tmp_path, size, fits):
    (tmp_path / "seed.sql").write_text("-" * size)
    if fits:
        assert planned({"postgres": {"seed": "seed.sql"}}).server.seed
        return
    with pytest.raises(InputError, match="expected at most 1000000 bytes, which a ConfigMap can hold, found 1000001"):
        planned({"postgres": {"seed": "seed.sql"}})


@pytest.mark.parametrize(("kind", "module", "missing"), [("postgres", postgres, "pixeltable"), ("s3", s3, "moto")])
def test_a_machine_without_the_programs_is_told_what_to_install(planned, monkeypatch, kind, module, missing):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as refused:
        planned({kind: {}}, images=False)
    assert f"dependencies.store.{kind}: expected `" in str(refused.value)
    assert missing in str(refused.value)
    assert str(refused.value).endswith("pip install 'seatrial[dependencies]'")
