"""Dependencies on a real cluster: the images under their public names, behind gates, seen from a pod beside them."""

import base64
import hashlib
import json
import threading
import uuid
from types import SimpleNamespace

import pytest
import yaml

from seatrial.clock import RunClock
from seatrial.contract import read_contract
from seatrial.images import AGENT, own_recipes, take_in
from seatrial.trials.sandbox.dependencies import Dependencies
from seatrial.watch.api import Api
from seatrial.watch.exec import run_in_pod

pytestmark = [pytest.mark.kind, pytest.mark.timeout(600)]

CONTRACT = {
    "apiVersion": "seatrial/v1",
    "name": "echo",
    "inference": {"path": "/echo", "cases": {"count": 16, "request": {"n": "{i}"}, "expect": {"n": "{i}"}}},
    "dependencies": {
        "database": {"postgres": {"database": "shop", "user": "keeper", "seed": "seed.sql"}},
        "minio": {"s3": {"bucket": "models", "access_key": "minioadmin", "secret_key": "minioadmin", "seed": "models"}},
        "upstream": {"http": {"port": 80, "routes": [{"path": "/v1/models", "body": {"data": ["a"]}}]}},
    },
}
IMAGES = ("postgres:15-bookworm", "minio/minio:latest")
OBJECT = bytes(range(256)) * 4000

READ_OBJECT = """
import hashlib, http.client, sys
from datetime import UTC, datetime
from seatrial.dependencies.s3_signature import Request, signed_headers
asked = Request("GET", "/models/v1/model.bin", "", {"host": "minio:9000"})
stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
store = http.client.HTTPConnection("minio", 9000, timeout=20)
store.request("GET", asked.path, headers=signed_headers(asked, b"", stamp, "minioadmin", sys.argv[1]))
answer = store.getresponse()
print(answer.status, hashlib.sha256(answer.read()).hexdigest())
"""
ASK = """
import sys, urllib.request
try:
    print(urllib.request.urlopen("http://upstream/v1/models", timeout=float(sys.argv[1])).read().decode())
except OSError as error:
    print(repr(getattr(error, "reason", error)))
"""
HOLD = """
import socket
held = socket.create_connection(("database", 5432), 20)
held.settimeout(60)
try:
    print(held.recv(1))
except OSError as error:
    print(repr(error))
"""


@pytest.fixture(scope="module")
def brought(cluster, tmp_path_factory):
    api = Api.connect(cluster.kubeconfig(), cluster.context)
    missing = [image for image in IMAGES if not on_the_nodes(api, image)]
    if missing:
        pytest.skip(f"not applicable: the nodes do not have {', '.join(missing)}")
    take_in(cluster, [AGENT], own_recipes())
    folder = tmp_path_factory.mktemp("contract")
    (folder / "seed.sql").write_text("CREATE TABLE boats (name text); INSERT INTO boats VALUES ('Vasa');")
    (folder / "models" / "v1").mkdir(parents=True)
    (folder / "models" / "v1" / "model.bin").write_bytes(OBJECT)
    (folder / "contract.yaml").write_text(yaml.safe_dump(CONTRACT))
    namespace = f"dependencies-{uuid.uuid4().hex[:8]}"
    context = SimpleNamespace(
        api=api,
        cluster=cluster,
        clock=RunClock.start(),
        contract=read_contract(folder),
        contract_file=folder / "contract.yaml",
    )
    api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    try:
        dependencies = Dependencies(context, namespace, {})
        dependencies.bring()
        yield SimpleNamespace(api=api, cluster=cluster, namespace=namespace, dependencies=dependencies)
    finally:
        api.delete(f"/api/v1/namespaces/{namespace}")


def on_the_nodes(api, image) -> bool:
    nodes = api.get("/api/v1/nodes")["items"]
    working = [node for node in nodes if not node["spec"].get("taints")]
    return all(any(image in " ".join(found["names"]) for found in node["status"]["images"]) for node in working)


def beside(brought, script, *arguments):
    """What a script says in a pod of the namespace: that of the upstream's gate, which has Python."""
    command = ["python", "-c", script, *arguments]
    return run_in_pod(brought.cluster, brought.namespace, "upstream-gate", "gate", command).strip()


def query(brought, sql):
    """What psql says in the database's pod, asking by the Service as the release would."""
    data = brought.api.get(f"/api/v1/namespaces/{brought.namespace}/secrets/database")["data"]
    url = base64.b64decode(data["url"]).decode()
    return run_in_pod(
        brought.cluster, brought.namespace, "database-backend", "server", ["psql", url, "-tAc", sql]
    ).strip()


def test_postgres_answers_with_what_was_read_into_it(brought):
    before = brought.dependencies["database"].counts()
    assert query(brought, "SELECT name FROM boats") == "Vasa"
    after = brought.dependencies["database"].counts()
    assert after.connections > before.connections
    assert after.requests is None


def test_the_object_store_has_the_files_of_the_folder_and_wants_its_keys(brought):
    assert beside(brought, READ_OBJECT, "minioadmin") == f"200 {hashlib.sha256(OBJECT).hexdigest()}"
    assert beside(brought, READ_OBJECT, "another-secret").startswith("403 ")


def test_the_upstream_answers_and_its_requests_are_counted(brought):
    before = brought.dependencies["upstream"].counts()
    assert json.loads(beside(brought, ASK, "20")) == {"data": ["a"]}
    assert brought.dependencies["upstream"].counts().requests == before.requests + 1


def test_refuse_is_a_connection_refused_by_the_services_name(brought):
    brought.dependencies["upstream"].refuse()
    assert "ConnectionRefusedError" in beside(brought, ASK, "20")
    brought.dependencies["upstream"].open()
    assert "data" in beside(brought, ASK, "20")


def test_stall_lets_a_client_wait_and_counts_it(brought):
    before = brought.dependencies["upstream"].stall()
    assert "timed out" in beside(brought, ASK, "1").lower()
    assert brought.dependencies["upstream"].open().connections == before.connections + 1
    assert "data" in beside(brought, ASK, "20")


def test_cut_resets_an_open_connection(brought):
    database, said = brought.dependencies["database"], []
    before = database.counts()
    holding = threading.Thread(target=lambda: said.append(beside(brought, HOLD)))
    holding.start()
    while database.counts().open < before.open + 1:
        assert holding.is_alive(), said
    assert database.cut().cut == before.cut + 1
    holding.join(60)
    assert "ConnectionResetError" in said[0]


def test_what_served_is_told_with_its_version(brought):
    stands_by = {seen.name: seen.stands_by for seen in brought.dependencies.observed()}
    assert stands_by["database"].startswith("image postgres:15-bookworm, version 15.")
    assert stands_by["minio"] == "image minio/minio"
