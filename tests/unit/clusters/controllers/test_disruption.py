"""What a PodDisruptionBudget allows, and what an eviction is told."""

import pytest
from control_plane import condition, deployment_spec, unready

from seatrial.clusters.local.controllers.disruption import refuse_eviction
from seatrial.clusters.local.store import StoreError


def budget(**spec):
    return {"selector": {"matchLabels": {"app": "shop"}}, **spec}


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 3}, 3, 1),
        ({"minAvailable": 4}, 4, 0),
        ({"minAvailable": 5}, 5, 0),
        ({"minAvailable": "60%"}, 3, 1),
        ({"maxUnavailable": 1}, 3, 1),
        ({"maxUnavailable": "30%"}, 2, 2),
        ({"maxUnavailable": 0}, 4, 0),
    ],
)
async def test_percentages_round_up(plane, spec, desired, allowed):
    plane.create("deployments", "shop", deployment_spec(4))
    plane.create("poddisruptionbudgets", "shop", budget(**spec))
    await plane.settle()
    status = plane.status("poddisruptionbudgets", "shop")
    found = (status["expectedPods"], status["currentHealthy"], status["desiredHealthy"], status["disruptionsAllowed"])
    assert found == (4, 4, desired, allowed)
    expected = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    assert condition(status, "DisruptionAllowed") == expected


async def test_an_eviction_spends_the_budget_at_once(plane):
    plane.create("deployments", "shop", deployment_spec(3))
    plane.create("poddisruptionbudgets", "shop", budget(maxUnavailable=1))
    await plane.settle()
    one, two, _ = plane.pods()
    refuse_eviction(plane.store, one)
    assert condition(plane.get("pods", one["metadata"]["name"]), "DisruptionTarget") == (
        "True",
        "EvictionByEvictionAPI",
    )
    with pytest.raises(StoreError) as refused:
        refuse_eviction(plane.store, two)
    assert (refused.value.code, refused.value.reason) == (429, "TooManyRequests")
    assert refused.value.details["causes"] == [
        {"reason": "DisruptionBudget", "message": "The disruption budget shop needs 2 healthy pods and has 3 currently"}
    ]


async def test_the_budget_is_back_once_the_evicted_pod_is_replaced(plane):
    plane.create("deployments", "shop", deployment_spec(2))
    plane.create("poddisruptionbudgets", "shop", budget(maxUnavailable=1))
    await plane.settle()
    victim = plane.pods()[0]
    refuse_eviction(plane.store, victim)
    plane.store.delete("pods", "default", victim["metadata"]["name"])
    await plane.settle()
    status = plane.status("poddisruptionbudgets", "shop")
    assert (status["currentHealthy"], status["disruptionsAllowed"]) == (2, 1)
    assert "disruptedPods" not in status


async def test_two_budgets_on_one_pod_are_an_error(plane):
    plane.create("deployments", "shop", deployment_spec(2))
    for name in ("one", "two"):
        plane.create("poddisruptionbudgets", name, budget(maxUnavailable=1))
    await plane.settle()
    with pytest.raises(StoreError, match="more than one PodDisruptionBudget") as refused:
        refuse_eviction(plane.store, plane.pods()[0])
    assert refused.value.code == 500


async def test_a_pod_without_budget_may_always_go(plane):
    plane.create("deployments", "shop", deployment_spec(1))
    await plane.settle()
    (pod,) = plane.pods()
    refuse_eviction(plane.store, pod)
    assert condition(plane.get("pods", pod["metadata"]["name"]), "DisruptionTarget") == (
        "True",
        "EvictionByEvictionAPI",
    )


@pytest.mark.parametrize(("policy", "may_go"), [("IfHealthyBudget", False), ("AlwaysAllow", True)])
async def test_an_unready_pod_of_an_application_below_its_budget(plane, policy, may_go):
    plane.pod_starts = unready
    plane.create("deployments", "shop", deployment_spec(2))
    plane.create("poddisruptionbudgets", "shop", budget(minAvailable=1, unhealthyPodEvictionPolicy=policy))
    await plane.settle()
    pod = plane.pods()[0]
    if may_go:
        refuse_eviction(plane.store, pod)
    else:
        with pytest.raises(StoreError, match="violate the pod's disruption budget"):
            refuse_eviction(plane.store, pod)
