"""Claims are bound when a pod wants them, and kept while one uses them."""

from pathlib import Path

from control_plane import template

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUME = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}


def pod_with_claim(plane, name="user"):
    plane.create("pods", name, template(volumes=[VOLUME])["spec"])


async def test_a_claim_waits_for_its_first_consumer(plane):
    plane.create("persistentvolumeclaims", "data", CLAIM)
    await plane.settle()
    assert (plane.get("persistentvolumeclaims", "data").get("status") or {}).get("phase") != "Bound"
    assert plane.event_reasons() == {"WaitForFirstConsumer"}


async def test_the_first_pod_binds_it_to_a_volume(plane):
    plane.create("persistentvolumeclaims", "data", CLAIM)
    pod_with_claim(plane)
    await plane.settle()
    claim = plane.get("persistentvolumeclaims", "data")
    assert claim["status"]["phase"] == "Bound"
    assert claim["status"]["capacity"] == {"storage": "1Gi"}
    volume = plane.store.get("persistentvolumes", None, claim["spec"]["volumeName"])
    assert volume["status"]["phase"] == "Bound"
    assert volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]
    assert claim["spec"]["storageClassName"] == "standard"


async def test_a_claim_of_an_unknown_class_stays_pending(plane):
    plane.create("persistentvolumeclaims", "data", CLAIM | {"storageClassName": "fast"})
    pod_with_claim(plane)
    await plane.settle()
    assert plane.store.list("persistentvolumes") == []


async def test_a_deleted_claim_stays_until_its_pod_is_gone_then_takes_its_data_along(plane):
    plane.create("persistentvolumeclaims", "data", CLAIM, metadata={"finalizers": ["kubernetes.io/pvc-protection"]})
    pod_with_claim(plane)
    await plane.settle()
    (volume,) = plane.store.list("persistentvolumes")
    folder = Path(volume["spec"]["hostPath"]["path"])
    folder.mkdir(parents=True)
    plane.store.delete("persistentvolumeclaims", "default", "data")
    await plane.settle()
    assert plane.names("persistentvolumeclaims") == ["data"]
    plane.store.delete("pods", "default", "user")
    await plane.settle()
    assert plane.names("persistentvolumeclaims") == []
    assert plane.store.list("persistentvolumes") == []
    assert not folder.exists()
