"""One embedded cluster, and namespaces with what a contract's `dependencies` ask for."""

import uuid
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import yaml

from seatrial.clock import RunClock
from seatrial.clusters.local import LocalCluster
from seatrial.contract import read_contract
from seatrial.images import AGENT, own_recipes, take_in
from seatrial.trials.sandbox.dependencies import Dependencies
from seatrial.watch.api import Api

pytestmark = pytest.mark.local

MINIMAL = {
    "apiVersion": "seatrial/v1",
    "name": "echo",
    "inference": {"path": "/echo", "cases": {"count": 16, "request": {"n": "{i}"}, "expect": {"n": "{i}"}}},
}


@pytest.fixture(scope="package")
def cluster():
    made = LocalCluster()
    made.up()
    take_in(made, [AGENT], own_recipes())
    yield made
    made.down()


@pytest.fixture(scope="package")
def sandbox(cluster):
    """Called with a folder and `dependencies`, a context: a namespace for these, in which nothing is yet."""
    api = Api.connect(cluster.kubeconfig(), cluster.context)

    @contextmanager
    def make(folder, dependencies):
        (folder / "contract.yaml").write_text(yaml.safe_dump({**MINIMAL, "dependencies": dependencies}))
        namespace = f"dependencies-{uuid.uuid4().hex[:8]}"
        api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        context = SimpleNamespace(
            api=api,
            cluster=cluster,
            clock=RunClock.start(),
            contract=read_contract(folder),
            contract_file=folder / "contract.yaml",
        )
        marks = {}
        yield SimpleNamespace(
            api=api, namespace=namespace, marks=marks, dependencies=Dependencies(context, namespace, marks)
        )
        api.delete(f"/api/v1/namespaces/{namespace}")

    return make
