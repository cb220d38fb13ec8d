"""One cluster after the other, the same tests on each: where `local` differs from `kind`, local is wrong."""

import uuid

import pytest

from seatrial.clusters.kind import KindCluster
from seatrial.errors import SeatrialError
from semantics.kube import Kube, eventually
from semantics.workload import IMAGE, Witness, witness_pod


@pytest.fixture(
    scope="session",
    params=[pytest.param("local", marks=pytest.mark.local), pytest.param("kind", marks=pytest.mark.kind)],
)
def cluster(request):
    """A cluster that is up and has the image of the workloads."""
    made = {"local": local_cluster, "kind": KindCluster}[request.param]()
    try:
        # A test run is no reason to create a cluster of containers on somebody's machine.
        made.attach() if request.param == "kind" else made.up()
        if request.param == "kind" and not has_image(made):
            made.load_image(IMAGE)
    except SeatrialError as error:
        pytest.skip(f"no {request.param} cluster: {error}")
    yield made
    made.down()


def local_cluster():
    from seatrial.clusters.local import LocalCluster

    return LocalCluster()


def has_image(cluster) -> bool:
    nodes = Kube.connect(cluster.kubeconfig(), cluster.context, "").all("Node")
    return all(any(f"docker.io/library/{IMAGE}" in image["names"] for image in images(node)) for node in nodes)


def images(node: dict) -> list[dict]:
    return node["status"].get("images") or []


@pytest.fixture(scope="session")
def witness(cluster):
    """The pod to which all others report what happens to them."""
    with_namespace = new_namespace(cluster)
    with_namespace.create(witness_pod())

    def listening():
        pod = with_namespace.get("Pod", "witness")
        return pod["status"].get("phase") == "Running" and "listening" in with_namespace.log("witness") and pod

    ip = eventually(listening, within_s=60)["status"]["podIP"]
    yield Witness(with_namespace, ip)
    drop_namespace(with_namespace)


@pytest.fixture(scope="module")
def kube(cluster):
    """A namespace for the tests of one file."""
    own = new_namespace(cluster)
    yield own
    drop_namespace(own)


def new_namespace(cluster) -> Kube:
    name = f"semantics-{uuid.uuid4().hex[:8]}"
    kube = Kube.connect(cluster.kubeconfig(), cluster.context, name)
    kube.create({"kind": "Namespace", "metadata": {"name": name}})
    # Pods are refused until the namespace's ServiceAccount is there.
    eventually(lambda: kube.find("ServiceAccount", "default"))
    return kube


def drop_namespace(kube: Kube) -> None:
    kube.delete("Namespace", kube.namespace)
