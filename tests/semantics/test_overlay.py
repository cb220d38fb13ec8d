"""Manifests brought beside a release: kinds whose plurals follow no rule land where the cluster keeps them."""

import pytest

from seatrial.errors import InputError
from seatrial.trials.overlay import object_path
from seatrial.watch.api import Api

BACKEND = {"service": {"name": "web", "port": {"number": 80}}}


@pytest.fixture
def api(cluster):
    return Api.connect(cluster.kubeconfig(), cluster.context)


@pytest.mark.parametrize(
    ("api_version", "kind", "spec"),
    [
        ("networking.k8s.io/v1", "Ingress", {"defaultBackend": BACKEND}),
        ("networking.k8s.io/v1", "NetworkPolicy", {"podSelector": {}}),
        ("policy/v1", "PodDisruptionBudget", {"maxUnavailable": 1, "selector": {}}),
    ],
)
def test_an_object_of_any_kind_is_brought(api, kube, api_version, kind, spec):
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "brought"}, "spec": spec}
    path = object_path(api, kube.namespace, manifest)
    api.apply(path, manifest)
    kept = api.get(path)
    assert (kept["kind"], kept["metadata"]["namespace"]) == (kind, kube.namespace)


@pytest.mark.parametrize(("api_version", "kind"), [("example.com/v1", "Ox"), ("v1", "Ox"), ("v1", "Namespace")])
def test_what_the_cluster_does_not_have_or_the_namespace_cannot_hold_is_refused(api, kube, api_version, kind):
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "brought"}}
    with pytest.raises(InputError, match=f"{kind} brought: expected"):
        object_path(api, kube.namespace, manifest)
