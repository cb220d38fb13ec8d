"""The same calls to both servers: where they differ, the embedded one is wrong."""

import uuid

import pytest
from api_servers import Api, http_client, running

from seatrial.clusters.kind import KindCluster
from seatrial.clusters.local.api.kubeconfig import write_kubeconfig
from seatrial.errors import SeatrialError


@pytest.fixture(scope="session")
def server():
    """The embedded API server alone: no controller, no kubelet."""
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def kubeconfig(server, tmp_path_factory):
    return write_kubeconfig(tmp_path_factory.mktemp("kubeconfig") / "config", server.url)


@pytest.fixture(
    scope="session",
    params=[pytest.param("local", marks=pytest.mark.local), pytest.param("kind", marks=pytest.mark.kind)],
)
def http(request):
    """A client of each server."""
    if request.param == "local":
        kubeconfig, context = request.getfixturevalue("kubeconfig"), None
    else:
        cluster = KindCluster()
        try:
            cluster.attach()
        except SeatrialError as error:
            pytest.skip(f"no kind cluster: {error}")
        kubeconfig, context = cluster.kubeconfig(), cluster.context
    with http_client(kubeconfig, context) as client:
        yield client


@pytest.fixture
def api(http):
    """A namespace of its own on each server."""
    found = Api(http, f"api-{uuid.uuid4().hex[:8]}")
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": found.namespace}}
    http.post("/api/v1/namespaces", json=manifest).raise_for_status()
    yield found
    http.delete(f"/api/v1/namespaces/{found.namespace}")


@pytest.fixture
def local(server, kubeconfig):
    """A namespace on the embedded server."""
    name = f"api-{uuid.uuid4().hex[:8]}"
    server.call(server.store.create, "namespaces", {"metadata": {"name": name}})
    with http_client(kubeconfig) as client:
        yield Api(client, name)
