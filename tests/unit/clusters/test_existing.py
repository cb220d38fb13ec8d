"""A kubeconfig that cannot be used is refused with what to do about it."""

import socket

import pytest
import yaml

from seatrial.clusters.existing import ExistingCluster, by_resource
from seatrial.errors import ClusterError, InputError


@pytest.fixture
def kubeconfig(tmp_path):
    """Of a cluster that is not there: its port is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = tmp_path / "config"
    file.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "gpu", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "me", "user": {}}],
                "contexts": [{"name": "gpu-lab", "context": {"cluster": "gpu", "user": "me"}}],
                "current-context": "gpu-lab",
            }
        )
    )
    return file


def test_a_missing_kubeconfig_is_the_users_to_give(tmp_path):
    with pytest.raises(InputError, match="found no file; give the path with --kubeconfig"):
        ExistingCluster(kubeconfig=tmp_path / "none").up()


@pytest.mark.parametrize("content", ["- a\n- b\n", "contexts: 5", ": :", "contexts: [{x: y}]"])
def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path, content):
    (tmp_path / "config").write_text(content)
    with pytest.raises(InputError, match="expected a kubeconfig"):
        ExistingCluster(kubeconfig=tmp_path / "config").up()


def test_an_unknown_context_is_refused_and_the_known_ones_named(kubeconfig):
    with pytest.raises(InputError, match="found gpu-lab; name one with --context"):
        ExistingCluster(kubeconfig=kubeconfig, context="gpu-prod").up()


def test_a_kubeconfig_without_a_current_context_asks_for_one(kubeconfig):
    content = yaml.safe_load(kubeconfig.read_text())
    del content["current-context"]
    kubeconfig.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match="name one with --context"):
        ExistingCluster(kubeconfig=kubeconfig).up()


def test_a_kubeconfig_of_a_cluster_that_does_not_answer_is_refused(kubeconfig):
    with pytest.raises(InputError, match=r"config: expected a Kubernetes API at http://.*refused; is the cluster up"):
        ExistingCluster(kubeconfig=kubeconfig).up()


@pytest.mark.parametrize("server", ["", "gpu-lab", "ftp://127.0.0.1"])
def test_a_server_that_is_no_url_is_refused(kubeconfig, server):
    content = yaml.safe_load(kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = server
    kubeconfig.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=f"expected a server such as https://HOST:6443, found '{server}'"):
        ExistingCluster(kubeconfig=kubeconfig).up()


def test_a_server_that_takes_the_call_and_never_answers_is_given_up(kubeconfig, monkeypatch):
    monkeypatch.setattr("seatrial.clusters.connection.ANSWERS_WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        content = yaml.safe_load(kubeconfig.read_text())
        content["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        kubeconfig.write_text(yaml.safe_dump(content))
        with pytest.raises(InputError, match="found Read timed out"):
            ExistingCluster(kubeconfig=kubeconfig).up()


@pytest.mark.parametrize(
    ("registry", "named"),
    [
        (None, "seatrial/agent:1"),
        ("ghcr.io/acme", "ghcr.io/acme/seatrial/agent:1"),
        ("ghcr.io/acme/", "ghcr.io/acme/seatrial/agent:1"),
    ],
)
def test_seatrials_own_image_is_pulled_from_the_registry(registry, named):
    assert ExistingCluster(registry=registry).pod_image("seatrial/agent:1") == named


def test_before_up_there_is_no_address(kubeconfig):
    with pytest.raises(ClusterError, match=r"call up\(\) first"):
        ExistingCluster(kubeconfig=kubeconfig).address("shop", "gateway", 80)


def test_missing_permissions_are_told_as_a_cluster_role_lists_them():
    missing = ["create pods", "delete pods", "get pods/log", "list deployments.apps"]
    assert by_resource(missing) == "pods (create, delete), pods/log (get), deployments.apps (list)"
