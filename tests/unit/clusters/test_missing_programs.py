"""A command that calls a program which only the image has is told before anything is deployed, with what to do."""

import pytest

from seatrial.clusters.local.cluster import LocalCluster
from seatrial.clusters.local.kubelet.images import ImageMap
from seatrial.clusters.local.programs import missing_programs


def running(command, image="acme/server:1", **container):
    pod = {"containers": [{"name": "server", "image": image, "command": command, **container}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": pod}},
    }


def said(manifest, *processes):
    return [*missing_programs([manifest], ImageMap.of_processes(["acme/server=serve", *processes]))]


def test_it_is_named_with_the_option_that_helps():
    assert said(running(["acme-server", "--port", "80"])) == [
        "Deployment web, container server: the program acme-server, which this machine does not have "
        '(--process "acme/server acme-server=COMMAND")'
    ]
    assert said(running(["acme-server"]), "acme/server acme-server=python3 server.py") == []


@pytest.mark.parametrize(
    ("command", "container"),
    [
        (["sh", "-c", "acme-server"], {}),
        (["python3", "server.py"], {}),
        (["/opt/acme/bin/acme-server"], {}),
        (["$(SERVER)"], {}),
        (["acme-server"], {"env": [{"name": "PATH", "value": "/opt/acme/bin"}]}),
        ([], {}),
        (None, {}),
        ("acme-server", {}),
    ],
)
def test_what_may_be_there_is_not_named(command, container):
    assert said(running(command, **container)) == []


def test_of_images_that_nothing_stands_for_yet_nothing_is_said():
    assert said(running(["acme-server"], image="acme/other")) == []


def test_it_is_among_what_the_cluster_lacks():
    assert "the program acme-server" in str(LocalCluster().lacks([running(["acme-server"], image="busybox")]))
    assert (
        LocalCluster(processes=["busybox acme-server=sleep 1"]).lacks([running(["acme-server"], image="busybox")]) == []
    )
