"""A kubeconfig that cannot be used is refused with what to do about it."""

import socket

import pytest
import yaml

from seatrial.clusters.existing import ExistingCluster
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


def test_a_cluster_that_does_not_answer_is_the_operators_to_mend(kubeconfig):
    with pytest.raises(ClusterError, match="is the cluster up"):
        ExistingCluster(kubeconfig=kubeconfig).up()


@pytest.mark.parametrize(
    ("registry", "image"),
    [
        (None, "openmed-service:1"),
        ("ghcr.io/acme", "openmed-service:1"),
        ("ghcr.io/acme", "ghcr.io/acme-other/openmed-service:1"),
    ],
)
def test_an_image_that_the_nodes_cannot_pull_is_refused(registry, image):
    with pytest.raises(InputError, match="push it there"):
        ExistingCluster(registry=registry).load_image(image)


def test_an_image_under_the_registry_prefix_is_left_to_the_nodes():
    assert ExistingCluster(registry="ghcr.io/acme/").load_image("ghcr.io/acme/openmed-service:1") is None


def test_before_up_there_is_no_address(kubeconfig):
    with pytest.raises(ClusterError, match=r"call up\(\) first"):
        ExistingCluster(kubeconfig=kubeconfig).address("shop", "gateway", 80)
