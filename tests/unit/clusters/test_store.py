"""The store keeps Kubernetes' rules of writing, deleting and watching."""

import asyncio
from datetime import UTC, datetime

import pytest

from seatrial.clusters.local.store import Store, StoreError


@pytest.fixture
def store():
    return Store()


def config_map(name="settings", **data):
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def pod(name="web-1", *, node="node-1", grace_s=30, **metadata):
    spec = {"containers": [{"name": "web", "image": "web:1"}], "terminationGracePeriodSeconds": grace_s}
    if node:
        spec["nodeName"] = node
    return {"metadata": {"name": name, "namespace": "default", **metadata}, "spec": spec}


def taken(subscription):
    return [(event.type, event.object["metadata"]["name"]) for event in subscription.take()]


class TestCreate:
    def test_gives_an_identity(self, store):
        created = store.create("configmaps", config_map(a="1"))
        assert created["apiVersion"] == "v1"
        assert created["kind"] == "ConfigMap"
        assert {"uid", "resourceVersion", "creationTimestamp"} <= created["metadata"].keys()

    def test_copies_what_it_is_given(self, store):
        given = config_map(a="1")
        store.create("configmaps", given)
        assert config_map(a="1") == given

    def test_makes_up_a_name(self, store):
        created = store.create("configmaps", {"metadata": {"generateName": "settings-"}})
        assert created["metadata"]["name"].startswith("settings-")
        assert len("settings-") + 5 == len(created["metadata"]["name"])

    def test_refuses_a_name_that_is_taken(self, store):
        store.create("configmaps", config_map())
        with pytest.raises(StoreError, match="already exists") as refused:
            store.create("configmaps", config_map())
        assert (refused.value.code, refused.value.reason) == (409, "AlreadyExists")

    def test_needs_the_namespace(self, store):
        with pytest.raises(StoreError, match='namespaces "nowhere" not found'):
            store.create("configmaps", {"metadata": {"name": "a", "namespace": "nowhere"}})

    def test_adds_nothing_to_a_namespace_that_ends(self, store):
        store.create("namespaces", {"metadata": {"name": "ending"}})
        store.delete("namespaces", None, "ending")
        with pytest.raises(StoreError, match="because it is being terminated") as refused:
            store.create("configmaps", {"metadata": {"name": "a", "namespace": "ending"}})
        assert refused.value.code == 403

    def test_a_pod_needs_its_service_account(self, store):
        with pytest.raises(StoreError, match="error looking up service account default/absent"):
            store.create("pods", {**pod(), "spec": {**pod()["spec"], "serviceAccountName": "absent"}})

    def test_a_namespace_has_a_default_service_account(self, store):
        store.create("namespaces", {"metadata": {"name": "shop"}})
        assert store.find("serviceaccounts", "shop", "default")


class TestUpdate:
    def test_a_stale_version_is_a_conflict(self, store):
        first = store.create("configmaps", config_map(a="1"))
        store.update("configmaps", config_map(a="2"))
        with pytest.raises(StoreError, match="the object has been modified") as refused:
            store.update("configmaps", {**first, "data": {"a": "3"}})
        assert (refused.value.code, refused.value.reason) == (409, "Conflict")

    def test_no_change_is_no_event_and_no_version(self, store):
        created = store.create("configmaps", config_map(a="1"))
        subscription = store.subscribe("configmaps")
        subscription.take()
        same = store.mutate("configmaps", "default", "settings", lambda draft: draft["data"].update(a="1"))
        assert created["metadata"]["resourceVersion"] == same["metadata"]["resourceVersion"]
        assert taken(subscription) == []

    def test_status_and_the_rest_are_written_apart(self, store):
        store.create("pods", pod())

        def change(draft):
            draft["metadata"]["labels"] = {"a": "b"}
            draft["status"]["phase"] = "Running"

        main = store.mutate("pods", "default", "web-1", change)
        assert (main["metadata"]["labels"], main["status"]["phase"]) == ({"a": "b"}, "Pending")
        store.mutate("pods", "default", "web-1", lambda draft: draft["metadata"].pop("labels"))
        status = store.mutate("pods", "default", "web-1", change, subresource="status")
        assert (status["metadata"].get("labels"), status["status"]["phase"]) == (None, "Running")

    def test_the_generation_counts_changes_of_the_spec(self, store):
        store.create("pods", pod())
        store.mutate("pods", "default", "web-1", lambda draft: draft["metadata"].update(labels={"a": "b"}))
        store.mutate("pods", "default", "web-1", lambda draft: draft["status"].update(phase="x"), subresource="status")
        assert store.get("pods", "default", "web-1")["metadata"]["generation"] == 1
        store.mutate("pods", "default", "web-1", lambda draft: draft["spec"]["containers"][0].update(image="web:2"))
        assert store.get("pods", "default", "web-1")["metadata"]["generation"] == 2

    def test_what_the_server_keeps_cannot_be_written(self, store):
        created = store.create("configmaps", config_map())
        changed = store.mutate(
            "configmaps",
            "default",
            "settings",
            lambda draft: draft["metadata"].update(creationTimestamp="2000-01-01T00:00:00Z", labels={"a": "b"}),
        )
        assert created["metadata"]["creationTimestamp"] == changed["metadata"]["creationTimestamp"]

    def test_of_what_is_gone_changes_nothing(self, store):
        assert store.mutate("configmaps", "default", "absent", lambda draft: draft.clear()) is None

    def test_a_node_is_given_to_a_pod_once(self, store):
        store.create("pods", pod(node=None))
        store.mutate("pods", "default", "web-1", lambda draft: draft["spec"].update(nodeName="node-1"))
        with pytest.raises(StoreError, match="pod updates may not change fields"):
            store.mutate("pods", "default", "web-1", lambda draft: draft["spec"].update(nodeName="node-2"))


class TestDelete:
    def test_a_running_pod_is_marked_with_the_end_of_its_grace_period(self, store):
        store.create("pods", pod(grace_s=60))
        before = datetime.now(UTC)
        deleted = store.delete("pods", "default", "web-1")
        end = datetime.fromisoformat(deleted["metadata"]["deletionTimestamp"])
        assert deleted["metadata"]["deletionGracePeriodSeconds"] == 60
        # Times in objects have whole seconds.
        assert 59 <= (end - before).total_seconds() <= 61
        assert store.find("pods", "default", "web-1")

    def test_the_kubelet_then_removes_it(self, store):
        store.create("pods", pod())
        store.delete("pods", "default", "web-1")
        store.remove("pods", "default", "web-1")
        assert store.find("pods", "default", "web-1") is None

    @pytest.mark.parametrize("unstarted", [{"node": None}, {"grace_s": 0}])
    def test_a_pod_without_a_node_or_a_grace_period_goes_at_once(self, store, unstarted):
        store.create("pods", pod(**unstarted))
        store.delete("pods", "default", "web-1")
        assert store.find("pods", "default", "web-1") is None

    def test_a_pod_that_has_ended_goes_at_once(self, store):
        store.create("pods", pod())
        store.mutate(
            "pods", "default", "web-1", lambda draft: draft["status"].update(phase="Failed"), subresource="status"
        )
        store.delete("pods", "default", "web-1")
        assert store.find("pods", "default", "web-1") is None

    @pytest.mark.parametrize(("second_s", "left_s"), [(5, 5), (50, 30)])
    def test_a_second_deletion_can_only_shorten_the_grace_period(self, store, second_s, left_s):
        store.create("pods", pod(grace_s=30))
        store.delete("pods", "default", "web-1")
        store.delete("pods", "default", "web-1", grace_period_s=second_s)
        assert left_s == store.get("pods", "default", "web-1")["metadata"]["deletionGracePeriodSeconds"]

    def test_finalizers_hold_an_object(self, store):
        store.create("configmaps", {"metadata": {"name": "held", "namespace": "default", "finalizers": ["x.io/a"]}})
        store.delete("configmaps", "default", "held")
        assert "deletionTimestamp" in store.get("configmaps", "default", "held")["metadata"]
        store.mutate("configmaps", "default", "held", lambda draft: draft["metadata"].pop("finalizers"))
        assert store.find("configmaps", "default", "held") is None

    def test_a_pod_with_finalizers_stays_after_its_grace_period(self, store):
        store.create("pods", pod(finalizers=["batch.kubernetes.io/job-tracking"]))
        store.delete("pods", "default", "web-1")
        store.remove("pods", "default", "web-1")
        store.mutate("pods", "default", "web-1", lambda draft: draft["metadata"].pop("finalizers"))
        assert store.find("pods", "default", "web-1") is None

    def test_another_uid_is_a_conflict(self, store):
        store.create("configmaps", config_map())
        with pytest.raises(StoreError, match="Precondition failed: UID in precondition: other"):
            store.delete("configmaps", "default", "settings", uid="other")

    def test_orphans_are_cut_loose_first(self, store):
        owner = store.create("configmaps", config_map("owner"))
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
        owned = {"name": "owned", "namespace": "default", "ownerReferences": [reference]}
        store.create("configmaps", {"metadata": owned})
        store.delete("configmaps", "default", "owner", propagation="Orphan")
        assert "ownerReferences" not in store.get("configmaps", "default", "owned")["metadata"]

    def test_a_namespace_stays_until_it_is_removed(self, store):
        store.create("namespaces", {"metadata": {"name": "ending"}})
        store.delete("namespaces", None, "ending")
        assert store.get("namespaces", None, "ending")["status"]["phase"] == "Terminating"
        store.remove("namespaces", None, "ending")
        assert store.find("namespaces", None, "ending") is None


class TestSubscriptions:
    def test_begin_with_what_exists(self, store):
        store.create("configmaps", config_map("a"))
        assert taken(store.subscribe("configmaps")) == [("ADDED", "a")]

    def test_keep_the_order_over_several_resources(self, store):
        subscription = store.subscribe("configmaps", "pods")
        store.create("pods", pod())
        store.create("configmaps", config_map("a"))
        store.delete("pods", "default", "web-1", grace_period_s=0)
        assert taken(subscription) == [("ADDED", "web-1"), ("ADDED", "a"), ("DELETED", "web-1")]

    def test_events_carry_the_object_before(self, store):
        store.create("configmaps", config_map(a="1"))
        subscription = store.subscribe("configmaps")
        subscription.take()
        store.update("configmaps", config_map(a="2"))
        [event] = subscription.take()
        assert (event.old["data"], event.object["data"]) == ({"a": "1"}, {"a": "2"})
        assert event.resource_version == int(event.object["metadata"]["resourceVersion"])

    async def test_a_reader_that_waits_is_woken(self, store):
        subscription = store.subscribe("configmaps")
        reading = asyncio.ensure_future(anext(subscription))
        await asyncio.sleep(0)
        store.create("configmaps", config_map("a"))
        assert (await reading).object["metadata"]["name"] == "a"

    async def test_closing_ends_the_iteration(self, store):
        subscription = store.subscribe("configmaps")
        reading = asyncio.ensure_future(anext(subscription, None))
        await asyncio.sleep(0)
        subscription.close()
        assert await reading is None

    def test_a_reader_that_falls_behind_is_cut_off(self, store):
        subscription = store.subscribe("configmaps", limit=2)
        for name in ("a", "b", "c"):
            store.create("configmaps", config_map(name))
        assert subscription.closed
        assert subscription.overrun

    def test_a_watch_resumes_after_a_version(self, store):
        first = store.create("configmaps", config_map("a"))
        store.create("configmaps", config_map("b"))
        assert taken(store.watch("configmaps", int(first["metadata"]["resourceVersion"]))) == [("ADDED", "b")]

    def test_a_version_that_is_no_longer_kept_is_gone(self, store, monkeypatch):
        monkeypatch.setattr("seatrial.clusters.local.store.KEPT_EVENTS", 3)
        store._history["configmaps"] = type(store._history["configmaps"])(maxlen=3)
        for name in "abcde":
            store.create("configmaps", config_map(name))
        with pytest.raises(StoreError, match="too old resource version") as refused:
            store.watch("configmaps", 1)
        assert (refused.value.code, refused.value.reason) == (410, "Expired")


def test_lists_are_in_the_order_of_names_and_filtered(store):
    for name, labels in (("b", {"tier": "web"}), ("a", {"tier": "db"}), ("c", {"tier": "web"})):
        store.create("configmaps", {"metadata": {"name": name, "namespace": "default", "labels": labels}})
    assert [found["metadata"]["name"] for found in store.list("configmaps", "default")] == ["a", "b", "c"]
    assert [found["metadata"]["name"] for found in store.list("configmaps", labels={"tier": "web"})] == ["b", "c"]
