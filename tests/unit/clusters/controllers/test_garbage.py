"""Dependents go with their owners, and namespaces with what is in them."""

import pytest

from seatrial.clusters.local.controllers.objects import owner_reference
from seatrial.clusters.local.store import StoreError


def owned(plane, name, *owners):
    references = [owner_reference(owner) | {"controller": False} for owner in owners]
    return plane.create("configmaps", name, metadata={"ownerReferences": references})


async def test_a_dependent_goes_with_its_owner_and_its_own_dependents_too(plane):
    owner = plane.create("configmaps", "owner")
    dependent = owned(plane, "dependent", owner)
    owned(plane, "grandchild", dependent)
    plane.create("configmaps", "stranger")
    await plane.settle()
    plane.store.delete("configmaps", "default", "owner")
    await plane.settle()
    assert set(plane.names("configmaps")) == {"stranger", "kube-root-ca.crt"}


async def test_a_dependent_stays_while_one_owner_is_left(plane):
    owners = [plane.create("configmaps", name) for name in ("one", "two")]
    owned(plane, "dependent", *owners)
    plane.store.delete("configmaps", "default", "one")
    await plane.settle()
    assert "dependent" in plane.names("configmaps")
    plane.store.delete("configmaps", "default", "two")
    await plane.settle()
    assert "dependent" not in plane.names("configmaps")


async def test_orphans_stay(plane):
    owned(plane, "dependent", plane.create("configmaps", "owner"))
    plane.store.delete("configmaps", "default", "owner", propagation="Orphan")
    await plane.settle()
    assert "dependent" in plane.names("configmaps")


async def test_an_owner_of_the_same_name_but_another_uid_does_not_count(plane):
    owner = plane.create("configmaps", "owner")
    plane.store.delete("configmaps", "default", "owner")
    plane.create("configmaps", "owner")
    owned(plane, "dependent", owner)
    await plane.settle()
    assert "dependent" not in plane.names("configmaps")


async def test_a_new_namespace_has_a_default_account_and_the_root_certificate(plane):
    plane.store.create("namespaces", {"metadata": {"name": "shop"}})
    await plane.settle()
    assert plane.store.find("serviceaccounts", "shop", "default")
    assert plane.store.get("configmaps", "shop", "kube-root-ca.crt")["data"].keys() == {"ca.crt"}


async def test_a_deleted_namespace_goes_when_the_last_thing_in_it_is_gone(plane):
    plane.store.create("namespaces", {"metadata": {"name": "shop"}})
    plane.store.create("configmaps", {"metadata": {"name": "held", "namespace": "shop", "finalizers": ["test/hold"]}})
    await plane.settle()
    plane.store.delete("namespaces", None, "shop")
    await plane.settle()
    assert plane.store.get("namespaces", None, "shop")["status"]["phase"] == "Terminating"
    assert [found["metadata"]["name"] for found in plane.store.list("configmaps", "shop")] == ["held"]
    with pytest.raises(StoreError, match="being terminated"):
        plane.store.create("configmaps", {"metadata": {"name": "late", "namespace": "shop"}})

    def let_go(draft):
        draft["metadata"]["finalizers"] = []

    plane.store.mutate("configmaps", "shop", "held", let_go)
    await plane.settle()
    assert plane.store.find("namespaces", None, "shop") is None


async def test_an_owner_deleted_in_the_foreground_waits_for_its_dependents(plane):
    owner = plane.create("configmaps", "owner", metadata={"finalizers": ["foregroundDeletion"]})
    references = [owner_reference(owner)]
    plane.create("configmaps", "dependent", metadata={"ownerReferences": references, "finalizers": ["test/hold"]})
    await plane.settle()
    plane.store.delete("configmaps", "default", "owner")
    await plane.settle()
    assert "deletionTimestamp" in plane.get("configmaps", "dependent")["metadata"]
    assert "owner" in plane.names("configmaps")

    def let_go(draft):
        draft["metadata"]["finalizers"] = []

    plane.store.mutate("configmaps", "default", "dependent", let_go)
    await plane.settle()
    assert not {"owner", "dependent"} & set(plane.names("configmaps"))
