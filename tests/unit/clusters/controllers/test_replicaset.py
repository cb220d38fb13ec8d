"""Which pods a ReplicaSet deletes first."""

from control_plane import condition, deployment_spec, later, template, unready

from seatrial.clusters.local.controllers.replicaset import DELETION_COST, deletion_order
from seatrial.clusters.local.store import StoreError, timestamp

NOW_S = 1_800_000_000.0


def pod(name, *, phase="Running", ready_for_s=3600.0, cost=None, restarts=0, node="local", age_s=7200.0):
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": timestamp(NOW_S - (ready_for_s or 0))}]
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": timestamp(NOW_S - age_s),
            "annotations": {DELETION_COST: cost} if cost else {},
        },
        "spec": {"nodeName": node} if node else {},
        "status": {
            "phase": phase,
            "conditions": conditions if ready_for_s is not None else [],
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


def first_to_go(*pods):
    return deletion_order(pods, NOW_S)[0]["metadata"]["name"]


def test_a_pod_without_a_node_goes_before_one_that_has_it():
    assert first_to_go(pod("a"), pod("b", node=None, phase="Pending")) == "b"


def test_a_pending_pod_goes_before_a_running_one():
    assert first_to_go(pod("a", ready_for_s=None), pod("b", phase="Pending", ready_for_s=None)) == "b"


def test_an_unready_pod_goes_before_a_cheap_one():
    assert first_to_go(pod("a", cost="-100"), pod("b", ready_for_s=None)) == "b"


def test_a_cheap_pod_goes_before_a_young_one():
    assert first_to_go(pod("a", ready_for_s=1), pod("b", cost="-1")) == "b"


def test_a_pod_that_has_been_ready_for_a_much_shorter_time_goes_first():
    assert first_to_go(pod("a", ready_for_s=3600), pod("b", ready_for_s=60)) == "b"


def test_about_equally_long_ready_pods_are_told_apart_by_uid_alone():
    assert first_to_go(pod("a", ready_for_s=3600), pod("b", ready_for_s=3500)) == "a"


def test_a_restarted_pod_goes_before_one_that_never_failed():
    assert first_to_go(pod("a"), pod("b", restarts=2)) == "b"


async def test_a_pod_without_owner_that_matches_is_adopted_and_counts(plane):
    plane.store.create("pods", {"metadata": {"name": "stray", "labels": {"app": "shop"}}, "spec": template()["spec"]})
    plane.create(
        "replicasets", "shop", {"replicas": 2, "selector": {"matchLabels": {"app": "shop"}}, "template": template()}
    )
    await plane.settle()
    assert len(plane.pods()) == 2
    assert plane.get("pods", "stray")["metadata"]["ownerReferences"][0]["name"] == "shop"


async def test_a_pod_whose_label_is_taken_away_is_released_and_replaced(plane):
    plane.create("deployments", "shop", deployment_spec(1))
    await plane.settle()
    (name,) = plane.names("pods")

    def quarantine(draft):
        draft["metadata"]["labels"] = {"app": "quarantined"}

    plane.store.mutate("pods", "default", name, quarantine)
    await plane.settle()
    assert len(plane.pods()) == 2
    assert plane.get("pods", name)["metadata"].get("ownerReferences") == []


async def test_scaling_down_takes_the_unready_pod(plane):
    plane.create("deployments", "shop", deployment_spec(3))
    await plane.settle()
    victim = plane.names("pods")[1]
    plane.set_pod(victim, unready)
    plane.change("deployments", "shop", replicas=2)
    await plane.settle()
    assert len(plane.pods()) == 2
    assert victim not in plane.names("pods")


async def test_a_refused_pod_is_reported_and_tried_again(plane, monkeypatch):
    create, refusals = plane.store.create, iter(range(3))

    def refuse_three_times(resource, obj, **more):
        if resource == "pods" and next(refusals, None) is not None:
            raise StoreError(403, "Forbidden", "exceeded quota")
        return create(resource, obj, **more)

    monkeypatch.setattr(plane.store, "create", refuse_three_times)
    plane.create("deployments", "shop", deployment_spec(1))
    await plane.settle()
    assert condition(plane.get("deployments", "shop"), "ReplicaFailure") == ("True", "FailedCreate")
    assert "FailedCreate" in plane.event_reasons()
    await later(lambda: len(plane.pods()) == 1)
    await plane.settle()
    assert condition(plane.get("deployments", "shop"), "ReplicaFailure") is None
