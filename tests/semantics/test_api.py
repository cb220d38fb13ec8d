"""What the API server itself guarantees: versions, preconditions, validation, field ownership, watches.

Source: Kubernetes, "Kubernetes API Concepts"; "Server-Side Apply"; "Garbage Collection".
"""

import time

import pytest

from semantics.kube import Refused, eventually, recording, whole

PAUSED = {"paused": True}  # its controller makes no pods


def settings(name: str, **data: str) -> dict:
    return {"kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str, **spec) -> dict:
    container = {"name": "main", "image": "python:3.11-slim-bookworm", "ports": [{"containerPort": 80}]}
    return {
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            **PAUSED,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
            **spec,
        },
    }


class TestWrites:
    def test_a_stale_replace_is_a_conflict(self, kube):
        old = kube.create(settings("stale", a="1"))
        kube.patch("ConfigMap", "stale", {"data": {"a": "2"}})
        with pytest.raises(Refused, match="the object has been modified") as refusal:
            kube.replace(old)
        assert (refusal.value.code, refusal.value.reason) == (409, "Conflict")

    def test_a_write_that_changes_nothing_makes_no_new_version(self, kube):
        before = kube.create(settings("same", a="1"))
        after = kube.patch("ConfigMap", "same", {"data": {"a": "1"}})
        assert before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]

    def test_the_generation_counts_changes_of_the_spec_only(self, kube):
        kube.create(deployment("generations", replicas=0))
        kube.patch("Deployment", "generations", {"metadata": {"labels": {"a": "b"}}})
        assert kube.get("Deployment", "generations")["metadata"]["generation"] == 1
        kube.patch("Deployment", "generations", {"spec": {"minReadySeconds": 1}})
        assert kube.get("Deployment", "generations")["metadata"]["generation"] == 2

    def test_a_name_twice_already_exists(self, kube):
        kube.create(settings("twice"))
        with pytest.raises(Refused) as refusal:
            kube.create(settings("twice"))
        assert (refusal.value.code, refusal.value.reason) == (409, "AlreadyExists")

    def test_a_name_can_be_made_up(self, kube):
        made = kube.create({"kind": "ConfigMap", "metadata": {"generateName": "any-"}})
        assert made["metadata"]["name"].startswith("any-")
        assert len(made["metadata"]["name"]) == len("any-") + 5

    def test_a_dry_run_stores_nothing(self, kube):
        kube.create(settings("dry"), dryRun="All")
        assert kube.find("ConfigMap", "dry") is None

    def test_a_namespace_that_is_not_there_takes_nothing(self, kube):
        with pytest.raises(Refused, match='namespaces "not-there" not found'):
            kube.of("not-there").create(settings("any"))


class TestValidation:
    def test_an_unknown_field_is_refused_when_asked_to_be_strict(self, kube):
        wrong = deployment("unknown", replica=3)
        with pytest.raises(Refused, match=r'unknown field "spec\.replica"') as refusal:
            kube.create(wrong, fieldValidation="Strict")
        assert refusal.value.code == 400

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"metadata": {"name": "Upper_Case"}}, "RFC 1123"),
            ({"spec": {"selector": None}}, "selector"),
            ({"spec": {"selector": {"matchLabels": {"app": "other"}}}}, "`selector` does not match template `labels`"),
            ({"spec": {"replicas": -1}}, "greater than or equal to 0"),
        ],
    )
    def test_what_cannot_be_is_refused(self, kube, change, said):
        wrong = deployment("wrong")
        for part, fields in change.items():
            wrong[part] = {**wrong[part], **fields}
        with pytest.raises(Refused) as refusal:
            kube.create(wrong)
        assert refusal.value.code == 422
        assert said in refusal.value.message

    def test_a_wrong_type_is_refused(self, kube):
        with pytest.raises(Refused) as refusal:
            kube.create(deployment("typed", replicas="three"))
        assert refusal.value.code == 400

    def test_the_selector_of_a_deployment_cannot_change(self, kube):
        kube.create(deployment("selected", replicas=0))
        with pytest.raises(Refused, match="field is immutable") as refusal:
            kube.patch(
                "Deployment",
                "selected",
                {
                    "spec": {
                        "selector": {"matchLabels": {"app": "other"}},
                        "template": {"metadata": {"labels": {"app": "other"}}},
                    }
                },
            )
        assert refusal.value.code == 422

    def test_the_image_of_a_pod_can_change_but_not_its_command(self, kube):
        pod = {"containers": [{"name": "main", "image": "absent:1", "imagePullPolicy": "Never"}]}
        kube.create({"kind": "Pod", "metadata": {"name": "fixed"}, "spec": pod})
        kube.patch(
            "Pod", "fixed", [{"op": "replace", "path": "/spec/containers/0/image", "value": "absent:2"}], by="json"
        )
        with pytest.raises(Refused, match="pod updates may not change fields other than"):
            kube.patch("Pod", "fixed", [{"op": "add", "path": "/spec/containers/0/command", "value": ["x"]}], by="json")

    def test_a_grace_period_on_a_readiness_probe_is_refused(self, kube):
        probe = {"tcpSocket": {"port": 80}, "terminationGracePeriodSeconds": 5}
        container = {"name": "main", "image": "absent:1", "readinessProbe": probe}
        with pytest.raises(Refused, match="must not be set for readinessProbes"):
            kube.create({"kind": "Pod", "metadata": {"name": "graceful"}, "spec": {"containers": [container]}})


class TestDefaults:
    def test_of_a_probe(self, kube):
        spec = deployment("probed", replicas=0)
        spec["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = {"httpGet": {"port": 80}}
        made = kube.create(spec)["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]
        assert made == {
            "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        }

    def test_of_a_deployment(self, kube):
        made = kube.create(deployment("defaulted"))["spec"]
        assert made["replicas"] == 1
        assert made["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
        }
        assert (made["progressDeadlineSeconds"], made["revisionHistoryLimit"]) == (600, 10)

    def test_of_its_pods(self, kube):
        made = kube.create(deployment("pods-of"))["spec"]["template"]["spec"]
        assert (made["restartPolicy"], made["terminationGracePeriodSeconds"], made["dnsPolicy"]) == (
            "Always",
            30,
            "ClusterFirst",
        )
        assert made["containers"][0]["imagePullPolicy"] == "IfNotPresent"

    def test_of_a_limit_without_a_request(self, kube):
        limited = {"name": "main", "image": "absent:1", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
        made = kube.create({"kind": "Pod", "metadata": {"name": "limited"}, "spec": {"containers": [limited]}})
        assert made["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}
        assert made["status"]["qosClass"] == "Guaranteed"


class TestOwnership:
    def test_a_value_of_another_manager_is_a_conflict(self, kube):
        kube.apply(settings("owned", a="1"), manager="first")
        with pytest.raises(Refused, match='conflict with "first"') as refusal:
            kube.apply(settings("owned", a="2"), manager="second")
        assert refusal.value.code == 409
        assert refusal.value.details["causes"][0]["field"] == ".data.a"

    def test_the_same_value_is_shared(self, kube):
        kube.apply(settings("shared", a="1"), manager="first")
        kube.apply(settings("shared", a="1"), manager="second")
        kube.apply(settings("shared"), manager="first")
        assert kube.get("ConfigMap", "shared")["data"] == {"a": "1"}

    def test_what_its_only_owner_no_longer_applies_is_removed(self, kube):
        kube.apply(settings("dropped", a="1", b="2"), manager="first")
        kube.apply(settings("dropped", b="2"), manager="first")
        assert kube.get("ConfigMap", "dropped")["data"] == {"b": "2"}

    def test_force_takes_it_over(self, kube):
        kube.apply(settings("forced", a="1"), manager="first")
        kube.apply(settings("forced", a="2"), manager="second", force=True)
        with pytest.raises(Refused, match='conflict with "second"'):
            kube.apply(settings("forced", a="3"), manager="first")

    def test_scaling_takes_the_replicas_from_who_applied_them(self, kube):
        kube.apply(deployment("scaled", replicas=0), manager="helm")
        kube.patch("Deployment", "scaled", {"spec": {"replicas": 1}}, subresource="scale", fieldManager="kubectl")
        with pytest.raises(Refused, match=r'conflict with "kubectl" with subresource "scale".*\.spec\.replicas'):
            kube.apply(deployment("scaled", replicas=0), manager="helm")

    def test_who_does_not_apply_replicas_leaves_them_as_scaled(self, kube):
        kube.apply(deployment("left"), manager="helm")
        kube.scale("left", 0)
        kube.apply(deployment("left", minReadySeconds=1), manager="helm")
        assert kube.get("Deployment", "left")["spec"]["replicas"] == 0


class TestPatches:
    def test_a_merge_patch_replaces_lists(self, kube):
        kube.create(deployment("merged", replicas=0))
        added = [{"name": "second", "image": "absent:1"}]
        kube.patch("Deployment", "merged", {"spec": {"template": {"spec": {"containers": added}}}})
        assert names(kube.get("Deployment", "merged")) == ["second"]

    def test_a_strategic_patch_merges_them_by_key(self, kube):
        kube.create(deployment("strategic", replicas=0))
        added = [{"name": "second", "image": "absent:1"}]
        kube.patch("Deployment", "strategic", {"spec": {"template": {"spec": {"containers": added}}}}, by="strategic")
        assert sorted(names(kube.get("Deployment", "strategic"))) == ["main", "second"]

    def test_a_strategic_patch_can_delete_an_entry(self, kube):
        made = deployment("pruned", replicas=0)
        made["spec"]["template"]["spec"]["containers"].append({"name": "second", "image": "absent:1"})
        kube.create(made)
        gone = [{"name": "main", "$patch": "delete"}]
        kube.patch("Deployment", "pruned", {"spec": {"template": {"spec": {"containers": gone}}}}, by="strategic")
        assert names(kube.get("Deployment", "pruned")) == ["second"]

    def test_a_json_patch_whose_test_fails_changes_nothing(self, kube):
        kube.create(settings("tested", a="1"))
        steps = [{"op": "test", "path": "/data/a", "value": "9"}, {"op": "replace", "path": "/data/a", "value": "2"}]
        with pytest.raises(Refused) as refusal:
            kube.patch("ConfigMap", "tested", steps, by="json")
        assert refusal.value.code == 422
        assert kube.get("ConfigMap", "tested")["data"] == {"a": "1"}


def names(found: dict) -> list[str]:
    return [container["name"] for container in found["spec"]["template"]["spec"]["containers"]]


class TestSelectors:
    @pytest.mark.parametrize(
        ("selector", "chosen"),
        [
            ("tier=gold", {"chosen-a"}),
            ("tier!=gold,group=chosen", {"chosen-b", "chosen-c"}),
            ("tier in (gold,silver)", {"chosen-a", "chosen-b"}),
            ("group=chosen,!tier", {"chosen-c"}),
        ],
    )
    def test_by_label(self, kube, selector, chosen):
        for name, labels in (("a", {"tier": "gold"}), ("b", {"tier": "silver"}), ("c", {})):
            made = settings(f"chosen-{name}")
            made["metadata"]["labels"] = {"group": "chosen", **labels}
            if not kube.find("ConfigMap", f"chosen-{name}"):
                kube.create(made)
        assert {one["metadata"]["name"] for one in kube.all("ConfigMap", labelSelector=selector)} == chosen

    def test_by_field(self, kube):
        kube.create(settings("by-field"))
        found = kube.all("ConfigMap", fieldSelector="metadata.name=by-field")
        assert [one["metadata"]["name"] for one in found] == ["by-field"]

    def test_by_a_field_that_cannot_be_selected(self, kube):
        with pytest.raises(Refused) as refusal:
            kube.all("ConfigMap", fieldSelector="data.a=1")
        assert refusal.value.code == 400


class TestWatches:
    def test_an_object_that_stops_matching_is_deleted_for_the_watcher(self, kube):
        with recording(kube, "ConfigMap", labelSelector="tier=gold") as seen:
            made = settings("moving")
            made["metadata"]["labels"] = {"tier": "gold"}
            kube.create(made)
            kube.patch("ConfigMap", "moving", {"metadata": {"labels": {"tier": "silver"}}})
            kube.patch("ConfigMap", "moving", {"metadata": {"labels": {"tier": "gold"}}})
            eventually(lambda: [change.type for change in seen.of("moving")] == ["ADDED", "DELETED", "ADDED"])

    def test_a_watch_goes_on_from_the_version_it_is_given(self, kube):
        kube.create(settings("before"))
        version = kube.ask("GET", kube.path("ConfigMap"))["metadata"]["resourceVersion"]
        kube.create(settings("after"))
        with recording(kube, "ConfigMap", resourceVersion=version) as seen:
            eventually(lambda: seen.of("after"))
            assert seen.of("before") == []

    def test_a_version_that_was_never_is_refused(self, kube):
        with pytest.raises(Refused):
            kube.ask(
                "GET", kube.path("ConfigMap"), params={"watch": "true", "resourceVersion": "x", "timeoutSeconds": "1"}
            )


class TestDeletion:
    def test_a_finalizer_holds_the_object_until_it_is_taken_off(self, kube):
        held = settings("held")
        held["metadata"]["finalizers"] = ["example.org/hold"]
        kube.create(held)
        kube.delete("ConfigMap", "held")
        assert "deletionTimestamp" in kube.get("ConfigMap", "held")["metadata"]
        kube.patch("ConfigMap", "held", {"metadata": {"finalizers": None}})
        assert kube.find("ConfigMap", "held") is None

    def test_what_an_object_owns_goes_with_it(self, kube):
        owner = kube.create(settings("owner"))
        owned = settings("belonging")
        owned["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
        ]
        kube.create(owned)
        kube.delete("ConfigMap", "owner")
        eventually(lambda: kube.find("ConfigMap", "belonging") is None)

    def test_orphans_stay(self, kube):
        kube.create(deployment("parent", replicas=0, paused=False))
        eventually(lambda: kube.all("ReplicaSet", labelSelector="app=parent"))
        kube.delete("Deployment", "parent", propagationPolicy="Orphan")
        eventually(lambda: kube.find("Deployment", "parent") is None)
        time.sleep(1)  # long enough for a collector that would be wrong
        [orphan] = kube.all("ReplicaSet", labelSelector="app=parent")
        eventually(lambda: "ownerReferences" not in kube.get("ReplicaSet", orphan["metadata"]["name"])["metadata"])

    def test_a_precondition_on_the_uid_is_kept(self, kube):
        kube.create(settings("precious"))
        with pytest.raises(Refused) as refusal:
            kube.delete("ConfigMap", "precious", preconditions={"uid": "another"})
        assert refusal.value.code == 409


def test_a_terminating_namespace_takes_nothing_new(kube):
    name = f"{kube.namespace}-going"
    kube.create({"kind": "Namespace", "metadata": {"name": name}})
    held = {**whole(settings("held")), "metadata": {"name": "held", "finalizers": ["example.org/hold"]}}
    going = kube.of(name)
    going.create(held)
    going.delete("Namespace", name)
    with pytest.raises(Refused, match="because it is being terminated") as refusal:
        going.create(settings("new"))
    assert refusal.value.code == 403
    going.patch("ConfigMap", "held", {"metadata": {"finalizers": None}})
    eventually(lambda: going.find("Namespace", name) is None, within_s=60)
