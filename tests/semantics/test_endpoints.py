"""EndpointSlices: which pods a Service sends to, and in which order that changes.

Source: Kubernetes, "EndpointSlices", conditions; "Explore Termination Behavior for Pods And Their Endpoints".
"""

import time
from dataclasses import dataclass

import pytest

from semantics.kube import Change, Kube, Recording, eventually, is_true, recording
from semantics.workload import Witness, probe, service

READY_LATER = {"readinessProbe": probe("ready")}
FAILS_AFTER_SIGTERM = """
status = ["200"]
def answers(script):
    while True:
        yield status[0]
def end():
    time.sleep(3)
    tell("unready")
    status[0] = "503"
    time.sleep(6)
    tell("exiting")
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end).start())
serve(ready="")
"""


def endpoints(slice_: dict) -> list[dict]:
    return slice_.get("endpoints") or []


def conditions(slice_: dict, pod: str) -> tuple[bool, bool, bool] | None:
    """(ready, serving, terminating) of the pod's endpoint; None: it has none."""
    for endpoint in endpoints(slice_):
        if endpoint["targetRef"]["name"] == pod:
            state = endpoint["conditions"]
            return state["ready"], state["serving"], state["terminating"]
    return None


@dataclass(frozen=True)
class Seen:
    kube: Kube
    witness: Witness
    pods: Recording
    slices: Recording

    def states(self, service: str, pod: str) -> list[tuple[float, tuple[bool, bool, bool] | None]]:
        """When the pod's endpoint changed to what, as the watch saw it."""
        found: list[tuple[float, tuple[bool, bool, bool] | None]] = []
        for change in self.slices.of_label("kubernetes.io/service-name", service):
            state = None if change.type == "DELETED" else conditions(change.object, pod)
            if not found or found[-1][1] != state:
                found.append((change.at, state))
        return [entry for entry in found if entry[1] is not None or entry is not found[0]]


@pytest.fixture(scope="module")
def seen(kube, witness):
    with recording(kube, "EndpointSlice") as slices, recording(kube, "Pod") as pods:
        for name in ("draining", "late", "unready", "published", "plain"):
            kube.create(service(name, **({"publishNotReadyAddresses": True} if name == "published" else {})))
        kube.create(service("named", app="late", ports=[{"name": "api", "port": 90, "targetPort": "web"}]))
        kube.create(service("nobody"))
        grace = {"terminationGracePeriodSeconds": 30}
        kube.create(
            witness.pod("draining", FAILS_AFTER_SIGTERM, spec=grace, readinessProbe=probe("ready", failureThreshold=1))
        )
        ports = [{"name": "web", "containerPort": 8080}]
        kube.create(witness.pod("late", "serve(ready='503x5 200')", ports=ports, **READY_LATER))
        kube.create(witness.pod("unready", "serve(ready='503')", **READY_LATER))
        kube.create(witness.pod("published", "serve(ready='503')", **READY_LATER))
        kube.create(witness.pod("plain", "time.sleep(2)", spec={"restartPolicy": "Never"}))
        seen = Seen(kube, witness, pods, slices)
        for name in ("draining", "late"):
            eventually(lambda name=name: is_true(kube.get("Pod", name), "Ready"), within_s=60)
            eventually(lambda name=name: (True, True, False) in [state for _, state in seen.states(name, name)])
        time.sleep(1)  # so that the handler is set
        kube.delete("Pod", "draining")
        eventually(lambda: any(change.type == "DELETED" for change in pods.of("draining")), within_s=40)
        eventually(lambda: seen.states("draining", "draining")[-1][1] is None)
        eventually(lambda: kube.get("Pod", "plain")["status"]["phase"] == "Succeeded")
        eventually(lambda: not (seen.states("plain", "plain")[-1][1] or (False,))[0])
        yield seen


def version(change: Change) -> int:
    """The order of writes, of whatever kind: two watches may tell of them in another."""
    return int(change.object["metadata"]["resourceVersion"])


def slice_of(kube: Kube, name: str) -> dict:
    [found] = kube.all("EndpointSlice", labelSelector=f"kubernetes.io/service-name={name}")
    return found


class TestReady:
    def test_an_unready_pod_has_an_endpoint_that_is_not_ready(self, seen):
        states = [state for _, state in seen.states("late", "late")]
        assert states[-2:] == [(False, False, False), (True, True, False)]

    def test_the_endpoint_follows_the_pods_condition(self, seen):
        pod = next(change for change in seen.pods.of("late") if is_true(change.object, "Ready"))
        slices = seen.slices.of_label("kubernetes.io/service-name", "late")
        endpoint = next(change for change in slices if conditions(change.object, "late") == (True, True, False))
        assert version(endpoint) > version(pod)

    def test_it_stays_unready_as_long_as_the_pod_is(self, seen):
        states = eventually(lambda: seen.states("unready", "unready"))
        assert {state for _, state in states} == {(False, False, False)}

    def test_addresses_may_be_published_before_they_are_ready(self, seen):
        ready, _, _ = eventually(lambda: conditions(slice_of(seen.kube, "published"), "published"))
        assert ready


class TestTermination:
    def test_ready_ends_at_once_and_serving_with_readiness(self, seen):
        assert [state for _, state in seen.states("draining", "draining")][-4:] == [
            (True, True, False),
            (False, True, True),
            (False, False, True),
            None,
        ]

    def test_serving_ends_after_the_probe_failed(self, seen):
        [unready] = seen.witness.heard(seen.kube.namespace, "draining", "unready")
        ended = next(at for at, state in seen.states("draining", "draining") if state == (False, False, True))
        assert unready.at < ended

    def test_the_endpoint_stays_until_the_pod_has_ended(self, seen):
        [exiting] = seen.witness.heard(seen.kube.namespace, "draining", "exiting")
        assert exiting.at < seen.states("draining", "draining")[-1][0]

    def test_a_pod_that_has_finished_is_no_longer_ready(self, seen):
        last = seen.states("plain", "plain")[-1][1]
        assert last is None or not last[0]


class TestContent:
    def test_the_slice_names_service_pod_and_address(self, seen):
        found = slice_of(seen.kube, "late")
        [endpoint] = endpoints(found)
        pod = seen.kube.get("Pod", "late")
        assert found["addressType"] == "IPv4"
        assert endpoint["addresses"] == [pod["status"]["podIP"]]
        assert endpoint["targetRef"] == {
            "kind": "Pod",
            "name": "late",
            "namespace": seen.kube.namespace,
            "uid": pod["metadata"]["uid"],
        }
        assert endpoint["nodeName"] == pod["spec"]["nodeName"]

    def test_its_port_is_the_targets_under_the_services_name(self, seen):
        assert slice_of(seen.kube, "late")["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]

    def test_a_named_target_port_is_that_of_the_container(self, seen):
        assert slice_of(seen.kube, "named")["ports"] == [{"name": "api", "port": 8080, "protocol": "TCP"}]

    def test_a_service_without_pods_has_a_slice_without_endpoints(self, seen):
        assert endpoints(slice_of(seen.kube, "nobody")) == []

    def test_the_slice_goes_with_its_service(self, seen):
        seen.kube.delete("Service", "nobody")
        eventually(lambda: not seen.kube.all("EndpointSlice", labelSelector="kubernetes.io/service-name=nobody"))
