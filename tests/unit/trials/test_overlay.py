"""What a trial brings beside the release goes where the cluster's own discovery says that it belongs."""

import httpx
import pytest

from seatrial.errors import ClusterError, InputError
from seatrial.trials.overlay import object_path, read_overlay
from seatrial.watch.api import Api


def resource(name, kind, *, namespaced=True):
    return {"name": name, "kind": kind, "namespaced": namespaced}


HAS = {
    "/api/v1": [
        resource("endpoints", "Endpoints"),
        resource("namespaces", "Namespace", namespaced=False),
        resource("pods", "Pod"),
        resource("pods/log", "Pod"),
    ],
    "/apis/apps/v1": [resource("deployments", "Deployment"), resource("deployments/scale", "Scale")],
    "/apis/networking.k8s.io/v1": [
        resource("ingresses", "Ingress"),
        resource("ingressclasses", "IngressClass", namespaced=False),
        resource("networkpolicies", "NetworkPolicy"),
    ],
    "/apis/example.com/v1alpha1": [resource("oxen/status", "Ox"), resource("oxen", "Ox")],
}


@pytest.fixture
def api():
    """A cluster that answers discovery and nothing else."""

    def answer(request):
        if request.url.path == "/apis/broken.example.com/v1":
            return httpx.Response(503, json={"message": "the server is currently unable to handle the request"})
        if request.url.path not in HAS:
            return httpx.Response(404, text="404 page not found\n")
        return httpx.Response(200, json={"kind": "APIResourceList", "resources": HAS[request.url.path]})

    http = httpx.Client(base_url="http://cluster", transport=httpx.MockTransport(answer))
    return Api("http://cluster", {}, True, http)


def manifest(api_version, kind):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("v1", "Pod", "/api/v1/namespaces/ns/pods/x"),
        ("v1", "Endpoints", "/api/v1/namespaces/ns/endpoints/x"),
        ("apps/v1", "Deployment", "/apis/apps/v1/namespaces/ns/deployments/x"),
        ("networking.k8s.io/v1", "Ingress", "/apis/networking.k8s.io/v1/namespaces/ns/ingresses/x"),
        ("networking.k8s.io/v1", "NetworkPolicy", "/apis/networking.k8s.io/v1/namespaces/ns/networkpolicies/x"),
        ("example.com/v1alpha1", "Ox", "/apis/example.com/v1alpha1/namespaces/ns/oxen/x"),
    ],
)
def test_the_plural_is_the_clusters_own(api, api_version, kind, path):
    assert object_path(api, "ns", manifest(api_version, kind)) == path


def test_a_version_that_the_cluster_does_not_have_is_named(api):
    with pytest.raises(InputError, match=r"Ox x: expected a cluster with example\.com/v2, found that it has none"):
        object_path(api, "ns", manifest("example.com/v2", "Ox"))


def test_a_kind_that_the_cluster_does_not_have_is_named_with_the_nearest(api):
    with pytest.raises(
        InputError, match=r"expected a cluster with this kind in networking\.k8s\.io/v1, found Ingress;"
    ):
        object_path(api, "ns", manifest("networking.k8s.io/v1", "Ingres"))


def test_a_kind_like_no_other_is_answered_with_all_that_there_are(api):
    with pytest.raises(InputError, match="found Endpoints, Namespace, Pod;"):
        object_path(api, "ns", manifest("v1", "Q"))


def test_the_kind_of_a_subresource_is_no_kind_of_an_object(api):
    with pytest.raises(InputError, match="found Deployment;"):
        object_path(api, "ns", manifest("apps/v1", "Scale"))


@pytest.mark.parametrize(("api_version", "kind"), [("v1", "Namespace"), ("networking.k8s.io/v1", "IngressClass")])
def test_what_would_outlive_the_trial_is_refused(api, api_version, kind):
    with pytest.raises(InputError, match="expected a kind that lives in a namespace"):
        object_path(api, "ns", manifest(api_version, kind))


def test_a_cluster_that_cannot_say_is_the_clusters_fault(api):
    with pytest.raises(ClusterError, match="unable to handle"):
        object_path(api, "ns", manifest("broken.example.com/v1", "Ox"))


# the file


def overlay(tmp_path, text):
    file = tmp_path / "overlay.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_names_are_filled_in_and_other_dollars_left_alone(tmp_path):
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: ${release}, namespace: ${namespace}}\ndata: $HOME ${other}\n---\n"
    )
    (found,) = read_overlay(overlay(tmp_path, text), release="subject", namespace="ns")
    assert found["metadata"] == {"name": "subject", "namespace": "ns"}
    assert found["data"] == "$HOME ${other}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "expected manifests in YAML"),
        ("- 1\n", r"with kind and metadata\.name"),
        ("kind: Pod\nmetadata: {name: x}\n", "with apiVersion, found"),
        ("apiVersion: 1\nkind: Pod\nmetadata: {name: x}\n", "with apiVersion, found"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}\n", r"with kind and metadata\.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: x\n", r"with kind and metadata\.name"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read_overlay(overlay(tmp_path, text), release="subject", namespace="ns")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a file of manifests, found .*nowhere\.yaml"):
        read_overlay(tmp_path / "nowhere.yaml")
