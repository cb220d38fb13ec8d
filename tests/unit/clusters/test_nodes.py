"""Pods that no node of a real cluster takes are named before anything is deployed."""

import pytest

from seatrial.clusters.nodes import without_a_node

TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def node(name, gpus=0, **spec):
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110", **({"nvidia.com/gpu": str(gpus)} if gpus else {})}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {"allocatable": allocatable},
    }


NODES = [node("control-plane", taints=[TAINT]), node("worker")]


def running(resources=None, **pod):
    spec = {"containers": [{"name": "server", "resources": resources or {}}], **pod}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": template}}


def said(manifest, nodes=NODES, classes=("kata",)):
    return [*without_a_node([manifest], nodes, classes)]


def test_what_the_node_that_suits_best_lacks_is_said():
    gpu = running({"limits": {"nvidia.com/gpu": 1}})
    assert said(gpu) == ["Deployment web: pods that none of its nodes takes (1 Insufficient nvidia.com/gpu)"]
    assert said(gpu, [*NODES, node("gpu", gpus=1)]) == []


@pytest.mark.parametrize(
    ("pod", "is_taken"),
    [
        ({}, True),
        ({"resources": {"requests": {"cpu": "4"}}}, True),
        ({"resources": {"requests": {"cpu": "4001m"}}}, False),
        ({"nodeSelector": {"kubernetes.io/hostname": "worker"}}, True),
        ({"nodeSelector": {"kubernetes.io/hostname": "control-plane"}}, False),
        ({"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one"}]}, True),
        ({"resources": {"limits": {"cpu": "much"}}}, True),
    ],
)
def test_whether_a_node_takes_the_pods(pod, is_taken):
    assert (said(running(**pod)) == []) is is_taken


def test_a_runtime_class_has_to_be_there():
    assert said(running(runtimeClassName="kata")) == []
    assert said(running(runtimeClassName="nvidia")) == [
        "Deployment web: the RuntimeClass nvidia, which it does not have"
    ]


def test_a_node_that_is_cordoned_for_now_is_a_node():
    assert said(running(), [node("worker", unschedulable=True)]) == []


def test_nothing_is_known_of_a_cluster_without_nodes():
    assert said(running(), []) == []
