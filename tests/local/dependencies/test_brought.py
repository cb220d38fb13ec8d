"""What dependencies are on the embedded cluster: real servers behind gates, and how clients meet these."""

import base64
import os
import socket
import subprocess
import time

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from seatrial.dependencies.postgres import installed

pytestmark = pytest.mark.local

DEPENDENCIES = {
    "database": {
        "postgres": {"database": "shop", "user": "keeper", "seed": "seed.sql", "keys": {"POSTGRES_URL": "{url}"}}
    },
    "models": {
        "s3": {"service": "minio", "bucket": "models", "access_key": "minioadmin", "secret_key": "minioadmin",
               "seed": "models", "secret": "model-store"},
    },
    "upstream": {
        "http": {
            "port": 80,
            "routes": [
                {"path": "/v1/models", "body": {"data": ["a"]}, "headers": {"x-kept": "yes"}},
                {"path": "/v1/jobs", "method": "POST", "status": 202, "body": "taken", "delay_s": 0.3},
            ],
        }
    },
    "extras": {"manifests": "extras.yaml"},
    "token": {"secret": {"name": "token", "values": {"TOKEN": {"env": "SEATRIAL_TEST_TOKEN"}}}},
}  # fmt: skip
SEED = "CREATE TABLE boats (name text); INSERT INTO boats VALUES ('Vasa'), ('Endeavour');"
BIG = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def brought(sandbox, tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    (folder / "seed.sql").write_text(
        "CREATE TABLE boats (name text); INSERT INTO boats VALUES ('Vasa'), ('Endeavour');"
    )
    (folder / "models" / "v1").mkdir(parents=True)
    (folder / "models" / "v1" / "model.joblib").write_bytes(BIG)
    (folder / "models" / "a name.txt").write_text("hello")
    (folder / "extras.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extras}\ndata: {where: '${namespace}'}"
    )
    os.environ["SEATRIAL_TEST_TOKEN"] = "from outside"
    with sandbox(folder, DEPENDENCIES) as made:
        made.dependencies.bring()
        yield made
    del os.environ["SEATRIAL_TEST_TOKEN"]


@pytest.fixture
def database(brought):
    yield brought.dependencies["database"]
    brought.dependencies["database"].open()


@pytest.fixture
def upstream(brought):
    yield brought.dependencies["upstream"]
    brought.dependencies["upstream"].open()


def secret(brought, name):
    data = brought.api.get(f"/api/v1/namespaces/{brought.namespace}/secrets/{name}")["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def gate(brought, name):
    """The address that the Service's name has for the release."""
    pod = brought.api.get(f"/api/v1/namespaces/{brought.namespace}/pods/{name}-gate")
    return pod["status"]["podIP"], pod["spec"]["containers"][0]["ports"][0]["containerPort"]


def query(brought, sql, timeout_s=20):
    """What psql says to a query, with the Secret's address led to the gate."""
    url = secret(brought, "database")["POSTGRES_URL"].replace("@database:", f"@{gate(brought, 'database')[0]}:")
    psql = installed("database")[0] / "psql"
    return subprocess.run([psql, url, "-tAc", sql], capture_output=True, text=True, timeout=timeout_s, check=False)


def store(brought, secret_key="minioadmin"):
    host, port = gate(brought, "models")
    style = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "minioadmin", "aws_secret_access_key": secret_key, "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=f"http://{host}:{port}", config=style, **keys)


def get(brought, path, method="GET", timeout_s=10):
    host, port = gate(brought, "upstream")
    return httpx.request(method, f"http://{host}:{port}{path}", timeout=timeout_s)


def test_postgres_answers_with_what_was_read_into_it(brought):
    said = query(brought, "SELECT name FROM boats ORDER BY name")
    assert (said.stdout.split(), said.stderr) == (["Endeavour", "Vasa"], "")


def test_postgres_wants_its_password(brought):
    host, _ = gate(brought, "database")
    psql = installed("database")[0] / "psql"
    url = f"postgresql://keeper:wrong@{host}:5432/shop"
    refused = subprocess.run([psql, url, "-c", "SELECT 1"], capture_output=True, text=True, check=False)
    assert "password authentication failed" in refused.stderr


def test_secrets_hold_what_the_contract_wants_in_them(brought):
    assert set(secret(brought, "database")) == {"POSTGRES_URL"}
    assert secret(brought, "model-store") == {
        "url": "http://minio:9000",
        "endpoint": "minio:9000",
        "host": "minio",
        "port": "9000",
        "access-key": "minioadmin",
        "secret-key": "minioadmin",
        "bucket": "models",
    }
    assert secret(brought, "upstream") == {"url": "http://upstream:80", "host": "upstream", "port": "80"}
    assert secret(brought, "token") == {"TOKEN": "from outside"}


def test_the_object_store_has_the_files_of_the_folder(brought):
    listed = store(brought).list_objects_v2(Bucket="models")["Contents"]
    assert [item["Key"] for item in listed] == ["a name.txt", "v1/model.joblib"]
    assert store(brought).get_object(Bucket="models", Key="v1/model.joblib")["Body"].read() == BIG


def test_the_object_store_refuses_another_key(brought):
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        store(brought, "minioadmim").get_object(Bucket="models", Key="a name.txt")


def test_the_upstream_answers_by_its_routes(brought):
    answer = get(brought, "/v1/models?limit=1")
    assert (answer.status_code, answer.json(), answer.headers["x-kept"]) == (200, {"data": ["a"]}, "yes")
    before_s = time.monotonic()
    answer = get(brought, "/v1/jobs", "POST")
    assert (answer.status_code, answer.text) == (202, "taken")
    assert time.monotonic() - before_s >= 0.3
    assert get(brought, "/v1/jobs").status_code == 404


def test_manifests_of_the_contract_are_there(brought):
    extras = brought.api.get(f"/api/v1/namespaces/{brought.namespace}/configmaps/extras")
    assert extras["data"] == {"where": brought.namespace}


def test_pods_of_the_namespace_find_each_by_its_service(brought):
    """From the pod of another gate, as from the release's."""
    from seatrial.watch.exec import run_in_pod

    reach = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5); print('reached')"
    cluster = brought.dependencies["database"]._context.cluster
    for host, port in (("database", "5432"), ("minio", "9000"), ("upstream", "80")):
        command = ["python", "-c", reach, host, port]
        assert "reached" in run_in_pod(cluster, brought.namespace, "database-gate", "gate", command)


def test_refuse_is_a_connection_refused(brought, database):
    database.refuse()
    assert "Connection refused" in query(brought, "SELECT 1").stderr
    database.open()
    assert query(brought, "SELECT 1").stdout == "1\n"


def test_stall_lets_a_client_wait(brought, upstream):
    upstream.stall()
    with pytest.raises(httpx.ReadTimeout):
        get(brought, "/v1/models", timeout_s=0.4)
    counts = upstream.open()
    assert counts.mode == "open"
    assert get(brought, "/v1/models").status_code == 200


def test_cut_resets_an_open_connection(brought, database):
    before = database.counts()
    with socket.create_connection(gate(brought, "database"), 5) as client:
        client.settimeout(5)
        while database.counts().open < before.open + 1:
            time.sleep(0.05)
        assert database.cut().cut >= before.cut + 1
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_slow_takes_its_time(brought, upstream):
    upstream.slow(delay_s=0.2)
    before_s = time.monotonic()
    assert get(brought, "/v1/models").status_code == 200
    assert time.monotonic() - before_s >= 0.4


def test_requests_and_bytes_are_counted_where_the_protocol_is_http(brought, database, upstream):
    before = upstream.counts()
    for _ in range(3):
        get(brought, "/v1/models")
    after = upstream.counts()
    assert (after.requests - before.requests, after.connections - before.connections) == (3, 3)
    assert after.sent_bytes > before.sent_bytes
    assert after.received_bytes > before.received_bytes
    assert database.counts().requests is None


def test_what_was_done_is_kept_with_its_times_and_what_stood_for_it(brought, database):
    refused = database.refuse()
    observed = {seen.name: seen for seen in brought.dependencies.observed()}
    assert {name: (seen.kind, seen.service) for name, seen in observed.items()} == {
        "database": ("postgres", "database"),
        "models": ("s3", "minio"),
        "upstream": ("http", "upstream"),
    }
    last = observed["database"].switches[-1]
    assert (last.what, last.asked_s, last.done_s) == ("refuse", refused.asked_s, refused.read_s)
    assert last.asked_s < last.done_s == brought.marks["database-refuse"]
    assert observed["database"].counts[-1].mode == "refuse"
    assert "process PostgreSQL 1" in observed["database"].stands_by
    assert "moto 5" in observed["models"].stands_by or "MinIO" in observed["models"].stands_by.lower()
    assert "canned answers of Seatrial" in observed["upstream"].stands_by
