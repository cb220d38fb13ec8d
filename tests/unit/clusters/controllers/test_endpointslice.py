"""Which pods a Service leads to."""

import pytest
from control_plane import deployment_spec, later, ready, template, unready

from seatrial.clusters.local.controllers.endpointslice import EndpointSliceController, ports_of
from seatrial.clusters.local.store import Event

SERVICE = {"selector": {"app": "shop"}, "ports": [{"name": "web", "port": 80, "targetPort": "http", "protocol": "TCP"}]}


def slices(plane):
    return plane.store.list("endpointslices", "default", {"kubernetes.io/service-name": "shop"})


def endpoints(plane):
    return [endpoint for found in slices(plane) for endpoint in found["endpoints"] or ()]


def conditions(plane):
    return [
        tuple(endpoint["conditions"][of] for of in ("ready", "serving", "terminating")) for endpoint in endpoints(plane)
    ]


async def test_a_service_without_pods_has_one_empty_slice(plane):
    plane.create("services", "shop", SERVICE)
    await plane.settle()
    (found,) = slices(plane)
    assert (found["endpoints"], found["ports"], found["addressType"]) == (None, None, "IPv4")
    assert found["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    assert found["metadata"]["ownerReferences"][0]["kind"] == "Service"


async def test_an_endpoint_names_its_pod_its_node_and_its_port_as_a_number(plane):
    plane.create("services", "shop", SERVICE)
    plane.create("deployments", "shop", deployment_spec(1))
    await plane.settle()
    (pod,) = plane.pods()
    (found,) = slices(plane)
    assert found["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]
    (endpoint,) = found["endpoints"]
    assert endpoint["addresses"] == [pod["status"]["podIP"]]
    assert endpoint["nodeName"] == "local"
    assert endpoint["targetRef"] == {
        "kind": "Pod",
        "name": pod["metadata"]["name"],
        "namespace": "default",
        "uid": pod["metadata"]["uid"],
    }


async def test_readiness_decides_ready_and_serving(plane):
    plane.create("services", "shop", SERVICE)
    plane.pod_starts = unready
    plane.create("deployments", "shop", deployment_spec(1))
    await plane.settle()
    assert conditions(plane) == [(False, False, False)]
    plane.set_pod(plane.names("pods")[0], ready)
    await plane.settle()
    assert conditions(plane) == [(True, True, False)]


async def test_a_terminating_pod_serves_on_but_is_not_ready_until_it_is_gone(plane):
    plane.create("services", "shop", SERVICE)
    plane.create("deployments", "shop", deployment_spec(1))
    await plane.settle()
    plane.pods_end = False
    plane.change("deployments", "shop", replicas=0)
    await plane.settle()
    assert conditions(plane) == [(False, True, True)]
    plane.set_pod(plane.names("pods")[0], unready)
    await plane.settle()
    assert conditions(plane) == [(False, False, True)]
    plane.end_pod(plane.names("pods")[0])
    await plane.settle()
    assert conditions(plane) == []


async def test_publish_not_ready_addresses_makes_every_endpoint_ready(plane):
    plane.pod_starts = unready
    plane.create("services", "shop", SERVICE | {"publishNotReadyAddresses": True, "clusterIP": "None"})
    plane.create("deployments", "shop", deployment_spec(1))
    await plane.settle()
    assert conditions(plane) == [(True, False, False)]
    assert slices(plane)[0]["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


async def test_a_change_of_a_pod_shows_only_after_the_batch_period(plane):
    """As on a cluster, where clients hear of a pod's end later than the pod."""
    plane.create("services", "shop", SERVICE)
    controller = EndpointSliceController(plane.store, batch_period_s=0.05)
    plane.create("pods", "one", template()["spec"], metadata={"labels": {"app": "shop"}})
    event = Event("ADDED", plane.get("pods", "one"), None, 1)
    assert list(controller.concerned(event)) == []
    looked_at = []
    controller.reconcile = looked_at.append
    await later(lambda: looked_at == [("default", "shop")])


async def test_a_finished_pod_is_no_endpoint(plane):
    plane.create("services", "shop", SERVICE)
    plane.create("pods", "once", template()["spec"], metadata={"labels": {"app": "shop"}})
    await plane.settle()
    plane.end_pod("once", "Failed")
    await plane.settle()
    assert endpoints(plane) == []


async def test_a_slice_keeps_its_name_while_endpoints_come_and_go(plane):
    plane.create("services", "shop", SERVICE)
    await plane.settle()
    (name,) = [found["metadata"]["name"] for found in slices(plane)]
    plane.create("deployments", "shop", deployment_spec(2))
    await plane.settle()
    plane.change("deployments", "shop", replicas=0)
    await plane.settle()
    assert [found["metadata"]["name"] for found in slices(plane)] == [name]


async def test_a_pod_that_loses_its_label_leaves_the_service(plane):
    plane.create("services", "shop", SERVICE)
    plane.create("pods", "one", template()["spec"], metadata={"labels": {"app": "shop"}})
    await plane.settle()
    assert len(endpoints(plane)) == 1

    def relabel(draft):
        draft["metadata"]["labels"] = {"app": "other"}

    plane.store.mutate("pods", "default", "one", relabel)
    await plane.settle()
    assert endpoints(plane) == []


async def test_a_service_without_selector_keeps_the_slices_its_user_made(plane):
    plane.create("services", "outside", {"ports": [{"port": 80}]})
    await plane.settle()
    assert plane.names("endpointslices") == []


@pytest.mark.parametrize(
    ("target", "numbers"), [(9000, [9000]), ("http", [8080]), ("grpc", [])], ids=["number", "name", "unknown"]
)
def test_a_target_port_is_a_number_or_the_name_of_a_container_port(target, numbers):
    service = {"spec": {"ports": [{"port": 80, "targetPort": target}]}}
    assert [port["port"] for port in ports_of(service, template())] == numbers


def test_a_native_sidecar_may_own_the_port():
    sidecar = {"name": "proxy", "restartPolicy": "Always", "ports": [{"name": "mesh", "containerPort": 15001}]}
    service = {"spec": {"ports": [{"port": 80, "targetPort": "mesh"}]}}
    assert ports_of(service, template(initContainers=[sidecar]))[0]["port"] == 15001
