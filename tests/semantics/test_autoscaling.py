"""HorizontalPodAutoscalers on CPU: the formula, the tolerance, bounds, windows.

Source: Kubernetes, "Horizontal Pod Autoscaling", algorithm details. A container asks for 40 millicores, so a
target of 50 % is 20 millicores a pod. Every pod burns what it is told, however many there are.
"""

import pytest
from kubernetes.utils import parse_quantity

from semantics.kube import Kube, Refused, condition, eventually
from semantics.workload import Witness

pytestmark = pytest.mark.timeout(420)

CPU = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
MEMORY = {"name": "memory", "target": {"type": "AverageValue", "averageValue": "200Mi"}}
REQUEST = {"resources": {"requests": {"cpu": "40m"}}}


def autoscaler(name: str, *, most: int, behavior: dict | None = None, least: int = 1, resource: dict = CPU) -> dict:
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": resource}],
            **({"behavior": behavior} if behavior else {}),
        },
    }


def burning(witness: Witness, name: str, millicores: int, *, replicas: int = 1, **more) -> dict:
    return witness.deployment(name, f"burn({millicores})", replicas=replicas, **more)


def replicas(kube: Kube, name: str) -> int:
    return int(kube.get("Deployment", name)["spec"]["replicas"])


def sizes(kube: Kube, name: str) -> list[int]:
    """The sizes that the autoscaler chose, oldest first."""
    events = sorted(kube.events(name, "SuccessfulRescale"), key=lambda event: event["metadata"]["creationTimestamp"])
    return [int(event["message"].partition("New size: ")[2].partition(";")[0]) for event in events]


def held(kube: Kube, name: str) -> float:
    """The memory a pod held on average when the autoscaler last looked, over the target of 200 MiB; 0 before."""
    for metric in kube.get("HorizontalPodAutoscaler", name)["status"].get("currentMetrics") or []:
        value = metric.get("resource", {}).get("current", {}).get("averageValue") or "0"
        return float(parse_quantity(value)) / (200 << 20)
    return 0.0


def state(kube: Kube, name: str, kind: str) -> tuple[str | None, str | None]:
    found = condition(kube.get("HorizontalPodAutoscaler", name), kind)
    return found.get("status"), found.get("reason")


@pytest.fixture(scope="module")
def scaled(kube, witness):
    at_once = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    one_a_minute = {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}
    wanted = [
        (burning(witness, "hungry", 60, **REQUEST), {"most": 3}),
        (burning(witness, "stepwise", 60, **REQUEST), {"most": 4, "behavior": one_a_minute}),
        # Memory, for it does not vary as CPU does: each pod holds some 5 % more than the target.
        (
            witness.deployment("steady", "held = b'x' * (200 << 20); time.sleep(600)", replicas=2),
            {"most": 5, "resource": MEMORY},
        ),
        (witness.deployment("idle", "time.sleep(600)", replicas=3, **REQUEST), {"most": 5, "behavior": at_once}),
        (witness.deployment("patient", "time.sleep(600)", replicas=3, **REQUEST), {"most": 5}),
        (witness.deployment("unasked", "time.sleep(600)"), {"most": 5}),
        (witness.deployment("too-few", "time.sleep(600)", **REQUEST), {"most": 5, "least": 2}),
        (witness.deployment("off", "time.sleep(600)", replicas=0, **REQUEST), {"most": 5}),
    ]
    for deployment, bounds in wanted:
        kube.create(deployment)
        kube.create(autoscaler(deployment["metadata"]["name"], **bounds))
    eventually(lambda: replicas(kube, "hungry") == 3, within_s=240, every_s=1)
    eventually(lambda: replicas(kube, "stepwise") > 1, within_s=90, every_s=1)
    eventually(lambda: replicas(kube, "idle") == 1, within_s=120, every_s=1)
    eventually(lambda: held(kube, "steady") > 1.0, within_s=90, every_s=1)
    for name, last in (("hungry", 3), ("stepwise", 2), ("idle", 1)):
        eventually(lambda name=name, last=last: last in sizes(kube, name))  # events come after what they tell of
    return kube


def test_it_grows_to_what_the_load_asks_for_but_not_beyond_the_maximum(scaled):
    assert max(sizes(scaled, "hungry")) == 3
    eventually(lambda: state(scaled, "hungry", "ScalingLimited") == ("True", "TooManyReplicas"), within_s=120)


def test_the_metrics_api_tells_what_a_pod_uses(scaled):
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{scaled.namespace}/pods"

    def used() -> list[float]:
        pods = scaled.ask("GET", path, params={"labelSelector": "app=hungry"})["items"]
        return [millicores(container["usage"]["cpu"]) for pod in pods for container in pod["containers"]]

    eventually(lambda: len(used()) == 3 and all(40 <= each <= 90 for each in used()), within_s=90)  # told to burn 60


def test_the_first_size_follows_the_formula(scaled):
    # One pod at up to 150 % of its request with a target of 50 %: two or three, by how much of the first
    # minute the first reading covers; never more.
    assert sizes(scaled, "hungry")[0] in (2, 3)


def test_within_the_tolerance_nothing_changes(scaled):
    assert 1.0 < held(scaled, "steady") < 1.1
    assert sizes(scaled, "steady") == []
    assert replicas(scaled, "steady") == 2


def test_without_a_window_it_shrinks_to_the_minimum(scaled):
    chosen = sizes(scaled, "idle")
    # What starting the pods cost may be in the first reading, and leave them some steps to go.
    assert chosen[-1] == 1
    assert chosen == sorted(chosen, reverse=True)


def test_the_default_window_holds_the_size_for_five_minutes(scaled):
    assert replicas(scaled, "patient") == 3
    assert state(scaled, "patient", "AbleToScale") == ("True", "ScaleDownStabilized")


def test_a_policy_limits_the_step(scaled):
    assert sizes(scaled, "stepwise")[0] == 2


def test_fewer_than_the_minimum_are_made_up_at_once(scaled):
    assert replicas(scaled, "too-few") == 2


def test_at_zero_it_is_switched_off(scaled):
    assert replicas(scaled, "off") == 0
    assert state(scaled, "off", "ScalingActive") == ("False", "ScalingDisabled")


def test_without_requests_there_is_nothing_to_compare_with(scaled):
    assert state(scaled, "unasked", "ScalingActive") == ("False", "FailedGetResourceMetric")
    assert replicas(scaled, "unasked") == 1


def test_the_status_tells_current_and_desired(scaled):
    status = scaled.get("HorizontalPodAutoscaler", "too-few")["status"]
    assert (status["currentReplicas"], status["desiredReplicas"]) == (2, 2)


def test_it_writes_through_the_scale_subresource(scaled):
    owners = scaled.get("Deployment", "idle")["metadata"]["managedFields"]
    [entry] = [owner for owner in owners if owner.get("subresource") == "scale"]
    assert "f:replicas" in entry["fieldsV1"]["f:spec"]


def test_replicas_that_it_changed_are_a_conflict_for_who_renders_them(kube, witness):
    rendered = witness.deployment("rendered", "time.sleep(600)", replicas=1, **REQUEST)
    kube.apply(rendered, manager="helm")
    kube.create(autoscaler("rendered", most=3, least=2))
    eventually(lambda: replicas(kube, "rendered") == 2, within_s=60)
    with pytest.raises(Refused, match=r'subresource "scale".*\.spec\.replicas') as refusal:
        kube.apply(rendered, manager="helm")
    assert refusal.value.code == 409


def millicores(quantity: str) -> float:
    """Of a CPU quantity such as 20141133n, 20141u or 20m."""
    units = {"n": 1e-6, "u": 1e-3, "m": 1.0}
    return float(quantity[:-1]) * units[quantity[-1]] if quantity[-1] in units else float(quantity) * 1000
