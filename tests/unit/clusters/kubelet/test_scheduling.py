"""Which pods fit the node."""

import pytest

from seatrial.clusters.local.kubelet.node import Capacity, node_object
from seatrial.clusters.local.kubelet.scheduling import requests, unschedulable

NODE = {
    "metadata": {"name": "local-node", "labels": {"disk": "fast", "cores": "8"}},
    "spec": {},
    "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "3"}},
}


def pod(cpu: str = "0", **spec):
    containers = [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]
    return {"metadata": {"name": "web"}, "spec": {"containers": containers} | spec}


def why(subject, others=(), node=NODE, claims=frozenset()) -> str:
    return unschedulable(subject, node, others, set(claims))


def test_a_pod_that_fits() -> None:
    assert why(pod("1"), [pod("1")]) == ""


def test_a_pod_that_is_too_large_by_a_thousandth() -> None:
    assert why(pod("1001m"), [pod("1")]) == "0/1 nodes are available: 1 Insufficient cpu."


def test_a_resource_the_node_does_not_have() -> None:
    gpu = {"name": "main", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    assert "1 Insufficient nvidia.com/gpu" in why(pod(containers=[gpu]))


def test_the_node_has_room_for_files_as_any_node_has() -> None:
    files = {"name": "main", "resources": {"requests": {"ephemeral-storage": "2Gi"}}}
    assert why(pod(containers=[files]), node=node_object(Capacity.default())) == ""


def test_no_more_pods_than_the_node_takes() -> None:
    assert why(pod(), [pod(), pod()]) == ""
    assert "Too many pods" in why(pod(), [pod(), pod(), pod()])


def test_init_containers_count_by_their_largest_and_sidecars_are_added() -> None:
    def init(cpu: str, **fields):
        return {"name": cpu, "resources": {"requests": {"cpu": cpu}}} | fields

    assert requests(pod("1", initContainers=[init("500m"), init("1500m")]))["cpu"] == 1500
    assert requests(pod("1", initContainers=[init("500m", restartPolicy="Always")]))["cpu"] == 1500


@pytest.mark.parametrize(
    ("selector", "fits"), [({"disk": "fast"}, True), ({"disk": "slow"}, False), ({"a": "b"}, False)]
)
def test_node_selectors(selector, fits: bool) -> None:
    assert (why(pod(nodeSelector=selector)) == "") is fits


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ({"key": "disk", "operator": "In", "values": ["fast", "faster"]}, True),
        ({"key": "disk", "operator": "NotIn", "values": ["fast"]}, False),
        ({"key": "disk", "operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists"}, False),
        ({"key": "gpu", "operator": "DoesNotExist"}, True),
        ({"key": "cores", "operator": "Gt", "values": ["7"]}, True),
        ({"key": "cores", "operator": "Lt", "values": ["8"]}, False),
    ],
)
def test_required_node_affinity(expression, fits: bool) -> None:
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    assert (why(pod(affinity=affinity)) == "") is fits


def test_a_cordoned_node_takes_only_pods_that_tolerate_it() -> None:
    cordoned = NODE | {"spec": {"unschedulable": True}}
    toleration = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}
    assert "unschedulable" in why(pod(), node=cordoned)
    assert why(pod(tolerations=[toleration]), node=cordoned) == ""


def test_taints() -> None:
    tainted = NODE | {"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}}
    assert "untolerated taint {gpu: yes}" in why(pod(), node=tainted)
    assert why(pod(tolerations=[{"key": "gpu", "value": "yes"}]), node=tainted) == ""
    assert why(pod(tolerations=[{"operator": "Exists"}]), node=tainted) == ""


def test_a_claim_that_does_not_exist() -> None:
    volumes = [{"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}}]
    assert 'persistentvolumeclaim "cache" not found' in why(pod(volumes=volumes))
    assert why(pod(volumes=volumes), claims={"cache"}) == ""


def test_claims_of_devices_that_nobody_allocates() -> None:
    claims = [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}]
    assert why(pod(resourceClaims=claims)) == '0/1 nodes are available: resource claim "gpu" not found.'
