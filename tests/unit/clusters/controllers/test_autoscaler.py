"""A HorizontalPodAutoscaler scales its target and says why, or why not."""

import pytest
from control_plane import condition, deployment_spec, template

from seatrial.clusters.local.api.hooks import PodUsage, Usage
from seatrial.clusters.local.controllers import autoscaler as module
from seatrial.clusters.local.controllers.autoscaler import AutoscalerController
from seatrial.clusters.local.store import timestamp

NOW_S = 1_800_000_000.0
OLD = timestamp(NOW_S - 3600)


def warm(status):
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": OLD}
    status |= {"phase": "Running", "startTime": OLD, "conditions": [condition]}


def with_requests(cpu="100m"):
    made = template()
    made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
    return made


def hpa_spec(target="shop", least=1, most=10, metrics=None):
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    return {"scaleTargetRef": reference, "minReplicas": least, "maxReplicas": most, "metrics": metrics or [cpu]}


@pytest.fixture
def sync(plane, monkeypatch):
    """Let the autoscaler look once, at a time of our own; the first look only registers it."""
    usage = {}
    controller = AutoscalerController(plane.store, lambda pod: usage.get("all"))
    monkeypatch.setattr(module.time, "time", lambda: NOW_S)

    async def look(cpu_cores=None):
        # The kubelet of these tests starts pods by its own clock.
        for name in plane.names("pods"):
            plane.set_pod(name, warm, startTime=OLD)
        usage["all"] = None if cpu_cores is None else PodUsage(NOW_S - 1, 15.0, {"server": Usage(cpu_cores, 10**6)})
        assert controller.reconcile(("default", "shop")) == 15.0
        await plane.settle()
        return plane.status("horizontalpodautoscalers", "shop")

    plane.create("horizontalpodautoscalers", "shop", hpa_spec())
    assert controller.reconcile(("default", "shop")) == 15.0
    return look


async def test_it_scales_up_to_what_the_use_asks_for(plane, sync):
    plane.create("deployments", "shop", deployment_spec(1, template=with_requests()))
    await plane.settle()
    status = await sync(cpu_cores=0.150)
    assert plane.get("deployments", "shop")["spec"]["replicas"] == 3
    assert (status["currentReplicas"], status["desiredReplicas"], status["lastScaleTime"]) == (1, 3, timestamp(NOW_S))
    assert status["currentMetrics"] == [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "current": {"averageValue": "150m", "averageUtilization": 150}},
        }
    ]
    assert condition(status, "AbleToScale") == ("True", "SucceededRescale")
    assert condition(status, "ScalingActive") == ("True", "ValidMetricFound")
    assert condition(status, "ScalingLimited") == ("False", "DesiredWithinRange")
    (event,) = [found for found in plane.store.list("events", "default") if found["reason"] == "SuccessfulRescale"]
    assert event["message"] == "New size: 3; reason: cpu resource utilization (percentage of request) above target"


async def test_it_holds_what_was_recommended_within_the_last_five_minutes(plane, sync):
    plane.create("deployments", "shop", deployment_spec(4, template=with_requests()))
    await plane.settle()
    status = await sync(cpu_cores=0.001)
    assert plane.get("deployments", "shop")["spec"]["replicas"] == 4
    assert condition(status, "AbleToScale") == ("True", "ScaleDownStabilized")


async def test_without_metrics_it_does_nothing_and_says_so(plane, sync):
    plane.create("deployments", "shop", deployment_spec(2, template=with_requests()))
    await plane.settle()
    status = await sync(cpu_cores=None)
    assert plane.get("deployments", "shop")["spec"]["replicas"] == 2
    assert condition(status, "ScalingActive") == ("False", "FailedGetResourceMetric")
    assert plane.event_reasons() >= {"FailedGetResourceMetric", "FailedComputeMetricsReplicas"}


async def test_a_target_that_is_not_there_is_named(plane, sync):
    status = await sync(cpu_cores=0.1)
    assert condition(status, "AbleToScale") == ("False", "FailedGetScale")


async def test_bounds_are_enforced_without_asking_the_metrics(plane, sync):
    plane.create("deployments", "shop", deployment_spec(12, template=with_requests()))
    await plane.settle()
    await sync(cpu_cores=None)
    assert plane.get("deployments", "shop")["spec"]["replicas"] == 10


async def test_a_target_scaled_to_zero_is_left_alone(plane, sync):
    plane.create("deployments", "shop", deployment_spec(0, template=with_requests()))
    await plane.settle()
    status = await sync(cpu_cores=None)
    assert plane.get("deployments", "shop")["spec"]["replicas"] == 0
    assert condition(status, "ScalingActive") == ("False", "ScalingDisabled")
