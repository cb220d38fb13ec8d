"""Deployments grow, roll, pause and fail as on a real cluster."""

import pytest
from control_plane import condition, deployment_spec, later, running, template, unready

from seatrial.clusters.local.controllers.rollout import REVISION


async def test_a_deployment_makes_one_replicaset_with_its_template_and_the_hash(plane):
    plane.create("deployments", "shop", deployment_spec())
    await plane.settle()
    (replica_set,) = plane.store.list("replicasets", "default")
    digest = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"shop-{digest}"
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "shop", "pod-template-hash": digest}
    assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in plane.pods()} == {digest}
    assert replica_set["metadata"]["annotations"][REVISION] == "1"
    assert plane.get("deployments", "shop")["metadata"]["annotations"][REVISION] == "1"
    assert replica_set["metadata"]["ownerReferences"][0]["controller"] is True


async def test_a_complete_rollout_says_what_rollout_status_and_helm_wait_for(plane):
    plane.create("deployments", "shop", deployment_spec(3))
    await plane.settle()
    status = plane.status("deployments", "shop")
    counts = {key: value for key, value in status.items() if key != "conditions"}
    assert counts == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
    }
    assert condition(status, "Available") == ("True", "MinimumReplicasAvailable")
    assert condition(status, "Progressing") == ("True", "NewReplicaSetAvailable")


async def test_an_unready_deployment_is_neither_available_nor_complete(plane):
    plane.pod_starts = unready
    plane.create("deployments", "shop", deployment_spec(2))
    await plane.settle()
    status = plane.status("deployments", "shop")
    assert (status["unavailableReplicas"], status.get("readyReplicas")) == (2, None)
    assert condition(status, "Available") == ("False", "MinimumReplicasUnavailable")
    assert condition(status, "Progressing") == ("True", "ReplicaSetUpdated")


async def test_a_rolling_update_replaces_all_and_keeps_the_old_revision_for_rollback(plane):
    plane.create("deployments", "shop", deployment_spec(4))
    await plane.settle()
    plane.change("deployments", "shop", template=template("shop:2"))
    await plane.settle()
    assert plane.sizes() == {"shop:1": 0, "shop:2": 4}
    plane.change("deployments", "shop", template=template("shop:1"))
    await plane.settle()
    assert plane.sizes() == {"shop:1": 4, "shop:2": 0}
    assert plane.get("deployments", "shop")["metadata"]["annotations"][REVISION] == "3"


@pytest.mark.parametrize(
    ("surge", "unavailable", "old", "new"),
    [("25%", "25%", 3, 2), (1, 0, 4, 1), (0, 1, 3, 1), ("100%", 0, 4, 4), (0, "100%", 0, 4)],
)
async def test_a_revision_that_never_becomes_ready_stops_at_the_fenceposts(plane, surge, unavailable, old, new):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    plane.create("deployments", "shop", deployment_spec(4, strategy=strategy))
    await plane.settle()
    plane.pod_starts = unready
    plane.change("deployments", "shop", template=template("shop:2"))
    await plane.settle()
    assert plane.sizes() == {"shop:1": old, "shop:2": new}


async def test_a_stalled_rollout_is_reported_after_its_deadline(plane):
    plane.pod_starts = unready
    plane.create("deployments", "shop", deployment_spec(1, progressDeadlineSeconds=1))

    await later(
        lambda: condition(plane.get("deployments", "shop"), "Progressing") == ("False", "ProgressDeadlineExceeded")
    )


async def test_recreate_waits_for_the_end_of_every_old_pod(plane):
    plane.create("deployments", "shop", deployment_spec(2, strategy={"type": "Recreate"}))
    await plane.settle()
    plane.pods_end = False
    plane.change("deployments", "shop", template=template("shop:2"))
    await plane.settle()
    assert plane.sizes() == {"shop:1": 0}
    old = plane.names("pods")
    plane.end_pod(old[0])
    await plane.settle()
    assert plane.sizes() == {"shop:1": 0}
    plane.end_pod(old[1])
    await plane.settle()
    assert plane.sizes() == {"shop:1": 0, "shop:2": 2}


async def test_a_paused_deployment_scales_but_does_not_roll(plane):
    plane.create("deployments", "shop", deployment_spec(2))
    await plane.settle()
    plane.change("deployments", "shop", paused=True, template=template("shop:2"), replicas=3)
    await plane.settle()
    assert plane.sizes() == {"shop:1": 3}
    assert condition(plane.get("deployments", "shop"), "Progressing") == ("Unknown", "DeploymentPaused")
    plane.change("deployments", "shop", paused=False)
    await plane.settle()
    assert plane.sizes() == {"shop:1": 0, "shop:2": 3}


async def test_scaling_amid_a_rollout_is_shared_in_proportion(plane):
    plane.create("deployments", "shop", deployment_spec(10))
    await plane.settle()
    plane.pod_starts = unready
    plane.change("deployments", "shop", template=template("shop:2"))
    await plane.settle()
    assert plane.sizes() == {"shop:1": 8, "shop:2": 5}
    plane.change("deployments", "shop", replicas=15)
    await plane.settle()
    # The example of the documentation: 15 and a quarter more are 19, shared as 8 to 5.
    assert sum(plane.sizes().values()) == 19
    assert plane.sizes() == {"shop:1": 12, "shop:2": 7}


async def test_old_revisions_beyond_the_limit_are_deleted(plane):
    plane.create("deployments", "shop", deployment_spec(1, revisionHistoryLimit=1))
    for version in (2, 3, 4):
        await plane.settle()
        plane.change("deployments", "shop", template=template(f"shop:{version}"))
    await plane.settle()
    assert set(plane.sizes()) == {"shop:3", "shop:4"}


async def test_a_pod_is_available_only_after_min_ready_seconds(plane):

    plane.create("deployments", "shop", deployment_spec(1, minReadySeconds=2))
    await plane.settle()
    status = plane.status("deployments", "shop")
    assert (status["readyReplicas"], status.get("availableReplicas")) == (1, None)
    await later(lambda: plane.status("deployments", "shop").get("availableReplicas") == 1)


async def test_a_deleted_deployment_takes_its_replicasets_and_pods_along(plane):
    plane.create("deployments", "shop", deployment_spec(2))
    await plane.settle()
    plane.store.delete("deployments", "default", "shop")
    await plane.settle()
    assert plane.names("replicasets") == plane.names("pods") == []


async def test_a_lost_pod_is_replaced_as_soon_as_its_deletion_starts(plane):
    plane.create("deployments", "shop", deployment_spec(1))
    await plane.settle()
    plane.pods_end = False
    plane.store.delete("pods", "default", plane.names("pods")[0])
    await plane.settle()
    assert len(plane.pods()) == 2
    assert plane.status("deployments", "shop")["readyReplicas"] == 1


async def test_an_orphan_replicaset_with_matching_labels_is_adopted(plane):
    plane.create("deployments", "shop", deployment_spec(1))
    await plane.settle()
    plane.store.delete("deployments", "default", "shop", propagation="Orphan")
    await plane.settle()
    (orphan,) = plane.store.list("replicasets", "default")
    assert not orphan["metadata"].get("ownerReferences")
    plane.create("deployments", "shop", deployment_spec(1))
    await plane.settle()
    (adopted,) = plane.store.list("replicasets", "default")
    assert adopted["metadata"]["uid"] == orphan["metadata"]["uid"]
    assert adopted["metadata"]["ownerReferences"][0]["name"] == "shop"


async def test_pods_that_never_started_are_given_up_first(plane):
    """A rollout away from a broken revision does not wait for it."""
    plane.pod_starts = running
    plane.create("deployments", "shop", deployment_spec(2, image="shop:broken"))
    await plane.settle()
    plane.pod_starts = lambda status: status.update(
        phase="Running", conditions=[{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    )
    plane.change("deployments", "shop", template=template("shop:2"))
    await plane.settle()
    assert plane.sizes() == {"shop:broken": 0, "shop:2": 2}
