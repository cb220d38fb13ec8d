"""StatefulSets: the order in which pods come and go, and what of them stays."""

import pytest
from control_plane import image_of, later, ready, template, unready

from seatrial.clusters.local.controllers.stateful import next_step, ordinal_of
from seatrial.clusters.local.store import StoreError

DATA = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
}


def spec(replicas=3, image="shop:1", **more):
    selector = {"matchLabels": {"app": "shop"}}
    return {"replicas": replicas, "serviceName": "shop", "selector": selector, "template": template(image), **more}


def images(plane):
    return {pod["metadata"]["name"]: image_of(pod) for pod in plane.pods()}


def metadata(plane, pod):
    return plane.get("pods", pod)["metadata"]


async def test_pods_have_names_hostnames_and_labels_of_their_ordinals(plane):
    plane.create("statefulsets", "shop", spec(2, ordinals={"start": 5}))
    await plane.settle()
    assert plane.names("pods") == ["shop-5", "shop-6"]
    pod = plane.get("pods", "shop-6")
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("shop-6", "shop")
    assert pod["metadata"]["labels"] == {
        "app": "shop",
        "statefulset.kubernetes.io/pod-name": "shop-6",
        "apps.kubernetes.io/pod-index": "6",
        "controller-revision-hash": plane.status("statefulsets", "shop")["currentRevision"],
    }


async def test_each_pod_waits_until_the_one_before_it_is_ready(plane):
    plane.pod_starts = unready
    plane.create("statefulsets", "shop", spec(3))
    await plane.settle()
    assert plane.names("pods") == ["shop-0"]
    plane.set_pod("shop-0", ready)
    await plane.settle()
    assert plane.names("pods") == ["shop-0", "shop-1"]


async def test_in_parallel_none_waits(plane):
    plane.pod_starts = unready
    plane.create("statefulsets", "shop", spec(3, podManagementPolicy="Parallel"))
    await plane.settle()
    assert plane.names("pods") == ["shop-0", "shop-1", "shop-2"]


async def test_a_status_counts_what_is_there(plane):
    plane.create("statefulsets", "shop", spec(2))
    await plane.settle()
    status = plane.status("statefulsets", "shop")
    counts = ("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas")
    assert [status[count] for count in counts] == [2] * 5
    assert status["currentRevision"] == status["updateRevision"]
    assert status["observedGeneration"] == 1


async def test_scaling_down_takes_the_highest_ordinal_first_and_one_at_a_time(plane):
    plane.create("statefulsets", "shop", spec(3))
    await plane.settle()
    plane.pods_end = False
    plane.change("statefulsets", "shop", replicas=1)
    await plane.settle()
    assert ["deletionTimestamp" in pod["metadata"] for pod in plane.pods()] == [False, False, True]
    plane.end_pod("shop-2")
    await plane.settle()
    assert ["deletionTimestamp" in pod["metadata"] for pod in plane.pods()] == [False, True]


async def test_a_pod_that_is_not_ready_below_the_last_holds_up_scaling_down(plane):
    plane.create("statefulsets", "shop", spec(3))
    await plane.settle()
    plane.set_pod("shop-0", unready)
    plane.change("statefulsets", "shop", replicas=1)
    await plane.settle()
    assert plane.names("pods") == ["shop-0", "shop-1", "shop-2"]


async def test_an_update_replaces_the_highest_ordinal_first_and_waits_until_it_is_ready(plane):
    plane.create("statefulsets", "shop", spec(3))
    await plane.settle()
    plane.pod_starts = unready
    plane.change("statefulsets", "shop", template=template("shop:2"))
    await plane.settle()
    assert images(plane) == {"shop-0": "shop:1", "shop-1": "shop:1", "shop-2": "shop:2"}
    status = plane.status("statefulsets", "shop")
    assert (status["currentReplicas"], status["updatedReplicas"]) == (2, 1)
    assert status["currentRevision"] != status["updateRevision"]
    plane.pod_starts = ready
    plane.set_pod("shop-2", ready)
    await plane.settle()
    assert set(images(plane).values()) == {"shop:2"}
    status = plane.status("statefulsets", "shop")
    assert status["currentRevision"] == status["updateRevision"]


async def test_an_update_leaves_pods_below_the_partition_and_makes_them_anew_as_they_were(plane):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    plane.create("statefulsets", "shop", spec(3, updateStrategy=strategy))
    await plane.settle()
    plane.change("statefulsets", "shop", template=template("shop:2"))
    await plane.settle()
    plane.store.delete("pods", "default", "shop-0")
    await plane.settle()
    assert images(plane) == {"shop-0": "shop:1", "shop-1": "shop:1", "shop-2": "shop:2"}


async def test_on_delete_a_pod_is_updated_when_somebody_deletes_it(plane):
    plane.create("statefulsets", "shop", spec(2, updateStrategy={"type": "OnDelete"}))
    await plane.settle()
    plane.change("statefulsets", "shop", template=template("shop:2"))
    await plane.settle()
    assert set(images(plane).values()) == {"shop:1"}
    plane.store.delete("pods", "default", "shop-0")
    await plane.settle()
    assert images(plane) == {"shop-0": "shop:2", "shop-1": "shop:1"}


async def test_going_back_to_an_earlier_template_numbers_its_revision_anew(plane):
    plane.create("statefulsets", "shop", spec(1))
    await plane.settle()
    first = plane.status("statefulsets", "shop")["updateRevision"]
    for image in ("shop:2", "shop:1"):
        plane.change("statefulsets", "shop", template=template(image))
        await plane.settle()
    assert plane.status("statefulsets", "shop")["currentRevision"] == first
    assert plane.get("controllerrevisions", first)["revision"] == 3
    assert len(plane.names("controllerrevisions")) == 2


async def test_revisions_beyond_the_limit_are_forgotten(plane):
    plane.create("statefulsets", "shop", spec(1, revisionHistoryLimit=1))
    for number in range(2, 6):
        await plane.settle()
        plane.change("statefulsets", "shop", template=template(f"shop:{number}"))
    await plane.settle()
    assert len(plane.names("controllerrevisions")) == 2


async def test_a_failed_pod_is_replaced_under_its_name(plane):
    plane.create("statefulsets", "shop", spec(2))
    await plane.settle()
    before = metadata(plane, "shop-0")["uid"]
    plane.end_pod("shop-0", phase="Failed")
    await plane.settle()
    assert metadata(plane, "shop-0")["uid"] != before
    assert plane.names("pods") == ["shop-0", "shop-1"]


async def test_a_pod_that_was_ready_for_less_than_the_minimum_holds_up_the_next(plane):
    plane.create("statefulsets", "shop", spec(2, minReadySeconds=1))
    await plane.settle()
    assert plane.names("pods") == ["shop-0"]
    await later(lambda: len(plane.pods()) == 2)


async def test_claims_are_made_for_each_pod_and_stay_when_it_goes(plane):
    plane.create("statefulsets", "shop", spec(2, volumeClaimTemplates=[DATA]))
    await plane.settle()
    assert plane.names("persistentvolumeclaims") == ["data-shop-0", "data-shop-1"]
    (volume,) = plane.get("pods", "shop-1")["spec"]["volumes"]
    assert volume == {"name": "data", "persistentVolumeClaim": {"claimName": "data-shop-1"}}
    kept = plane.get("persistentvolumeclaims", "data-shop-1")["metadata"]["uid"]
    for replicas in (1, 2):
        plane.change("statefulsets", "shop", replicas=replicas)
        await plane.settle()
    assert plane.get("persistentvolumeclaims", "data-shop-1")["metadata"]["uid"] == kept


@pytest.mark.parametrize(
    ("policy", "scaled", "deleted"),
    [
        ({}, ["data-shop-0", "data-shop-1"], ["data-shop-0", "data-shop-1"]),
        ({"whenScaled": "Delete"}, ["data-shop-0"], ["data-shop-0"]),
        ({"whenDeleted": "Delete"}, ["data-shop-0", "data-shop-1"], []),
    ],
)
async def test_claims_go_when_the_policy_says_so(plane, policy, scaled, deleted):
    policy = {"persistentVolumeClaimRetentionPolicy": policy}
    plane.create("statefulsets", "shop", spec(2, volumeClaimTemplates=[DATA], **policy))
    await plane.settle()
    plane.change("statefulsets", "shop", replicas=1)
    await plane.settle()
    assert plane.names("persistentvolumeclaims") == scaled
    plane.store.delete("statefulsets", "default", "shop")
    await plane.settle()
    assert plane.names("persistentvolumeclaims") == deleted
    assert plane.pods() == []


async def test_only_pods_of_its_names_are_adopted(plane):
    for name in ("shop-1", "shop-x", "other-0"):
        plane.store.create("pods", {"metadata": {"name": name, "labels": {"app": "shop"}}, "spec": template()["spec"]})
    plane.create("statefulsets", "shop", spec(2))
    await plane.settle()
    owned = {pod["metadata"]["name"] for pod in plane.pods() if pod["metadata"].get("ownerReferences")}
    assert owned == {"shop-0", "shop-1"}


async def test_a_refused_pod_is_told_and_tried_again(plane, monkeypatch):
    create, refusals = plane.store.create, iter(range(3))

    def refuse_three_times(resource, obj, **more):
        if resource == "pods" and next(refusals, None) is not None:
            raise StoreError(403, "Forbidden", "exceeded quota")
        return create(resource, obj, **more)

    monkeypatch.setattr(plane.store, "create", refuse_three_times)
    plane.create("statefulsets", "shop", spec(1))
    await plane.settle()
    assert "FailedCreate" in plane.event_reasons()
    await later(lambda: len(plane.pods()) == 1)


# the next step


@pytest.mark.parametrize(
    ("name", "ordinal"), [("shop-0", 0), ("shop-12", 12), ("shop-x", None), ("shop", None), ("my-shop-0", None)]
)
def test_the_ordinal_is_what_follows_its_name(name, ordinal):
    assert ordinal_of({"metadata": {"name": "shop"}}, {"metadata": {"name": name}}) == ordinal


def pod(ordinal, *, is_ready=True, phase="Running", revision="new"):
    condition = {"type": "Ready", "status": "True" if is_ready else "False"}
    return {
        "metadata": {"name": f"shop-{ordinal}", "labels": {"controller-revision-hash": revision}},
        "status": {"phase": phase, "conditions": [condition]},
    }


def step(*pods, replicas=3, **more):
    found = next_step({"metadata": {"name": "shop"}, "spec": spec(replicas, **more)}, pods, "new", 0.0)
    return list(found.create), [pod["metadata"]["name"] for pod in found.delete]


@pytest.mark.parametrize(
    ("pods", "more", "expected"),
    [
        ([], {}, ([0], [])),
        ([], {"podManagementPolicy": "Parallel"}, ([0, 1, 2], [])),
        ([pod(0), pod(2)], {}, ([1], [])),
        ([pod(0, is_ready=False), pod(2)], {}, ([], [])),
        ([pod(0, phase="Failed")], {}, ([], ["shop-0"])),
        ([pod(0), pod(1), pod(2)], {}, ([], [])),
        ([pod(0), pod(1), pod(2, revision="old")], {}, ([], ["shop-2"])),
        ([pod(0), pod(1, is_ready=False), pod(2, revision="old")], {}, ([], [])),
        ([pod(0), pod(1), pod(2)], {"replicas": 1}, ([], ["shop-2"])),
        ([pod(0), pod(1), pod(2, is_ready=False)], {"replicas": 1}, ([], ["shop-2"])),
        ([pod(0), pod(1, is_ready=False), pod(2, is_ready=False)], {"replicas": 1}, ([], [])),
        ([pod(0), pod(1), pod(2)], {"replicas": 1, "podManagementPolicy": "Parallel"}, ([], ["shop-2", "shop-1"])),
        (
            [pod(0, revision="old"), pod(1, is_ready=False, revision="old"), pod(2)],
            {"podManagementPolicy": "Parallel"},
            ([], ["shop-1"]),
        ),
    ],
)
def test_what_is_made_or_deleted_next(pods, more, expected):
    assert step(*pods, **more) == expected
