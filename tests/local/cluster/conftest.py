import json
import urllib.request
import uuid

import pytest
from kubernetes import client, config
from kubernetes.utils import create_from_dict

from seatrial.clusters.local import LocalCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = LocalCluster(root=tmp_path_factory.mktemp("cluster"))
    cluster.up()
    yield cluster
    cluster.down()


@pytest.fixture
def namespace(cluster):
    """A namespace of its own for one test."""
    found = Namespace(cluster, f"test-{uuid.uuid4().hex[:6]}")
    found.core.create_namespace({"metadata": {"name": found.name}})
    yield found
    found.core.delete_namespace(found.name)


class Namespace:
    """The clients of one namespace."""

    def __init__(self, cluster, name):
        self.name = name
        self.cluster = cluster
        self.api = config.new_client_from_config(str(cluster.kubeconfig()))
        self.core = client.CoreV1Api(self.api)
        self.apps = client.AppsV1Api(self.api)
        self.batch = client.BatchV1Api(self.api)

    def create(self, *objects):
        for found in objects:
            create_from_dict(self.api, found, namespace=self.name)

    def pods(self, **labels):
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        return self.core.list_namespaced_pod(self.name, label_selector=selector).items

    def slices(self):
        """As they are on the wire: the client refuses the null endpoints of a Service without pods."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self.name}/endpointslices"
        with urllib.request.urlopen(self.api.configuration.host + path, timeout=5) as answer:
            return json.load(answer)["items"]

    def endpoint_conditions(self):
        return [
            tuple(endpoint["conditions"][name] for name in ("ready", "serving", "terminating"))
            for found in self.slices()
            for endpoint in found["endpoints"] or ()
        ]
