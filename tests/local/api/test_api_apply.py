"""Server-side apply, field by field: what is owned, what is refused, what is removed."""

import pytest
from api_manifests import config_map, deployment, service
from api_servers import APPLY, Refused


def owners(obj):
    """Fields by manager; what the control plane itself owns is left out."""
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", ())
        if not entry["manager"].startswith("kube-")
    }


def with_containers(*containers):
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["containers"] = list(containers)
    return manifest


class TestOwnership:
    def test_what_is_missing_is_made_and_owned_by_what_was_named(self, api):
        made = api.apply("helm", {**config_map(a="1"), "metadata": {"name": "settings", "labels": {"x": "y"}}})
        assert owners(made) == {("helm", "Apply", ""): {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:x": {}}}}}

    def test_defaults_belong_to_nobody_who_applies(self, api):
        made = api.apply("helm", deployment())
        assert made["spec"]["revisionHistoryLimit"] == 10
        assert {"f:replicas", "f:selector", "f:template"} == owners(made)[("helm", "Apply", "")]["f:spec"].keys()

    def test_defaults_belong_to_who_creates(self, api):
        made = api.create(deployment())
        assert "f:revisionHistoryLimit" in owners(made)[("test", "Update", "")]["f:spec"]

    def test_an_empty_map_is_owned_as_sent(self, api):
        api.apply("helm", config_map(a="1"))
        emptied = api.apply("helm", config_map())
        assert owners(emptied) == {("helm", "Apply", ""): {"f:data": {}}}
        assert "data" not in emptied

    def test_a_patch_takes_the_fields_it_changes(self, api):
        api.apply("helm", config_map(a="1", b="1"))
        patched = api.patch("configmaps", "settings", "merge", {"data": {"a": "2"}}, fieldManager="kubectl")
        assert owners(patched) == {
            ("helm", "Apply", ""): {"f:data": {"f:b": {}}},
            ("kubectl", "Update", ""): {"f:data": {"f:a": {}}},
        }

    def test_scaling_owns_the_replicas_through_the_subresource(self, api):
        api.apply("helm", deployment())
        scale = {"spec": {"replicas": 1}}
        api.patch("deployments", "web", "merge", scale, "scale", fieldManager="kubectl")
        found = owners(api.get("deployments", "web"))
        assert found[("kubectl", "Update", "scale")] == {"f:spec": {"f:replicas": {}}}
        assert "f:replicas" not in found[("helm", "Apply", "")]["f:spec"]

    def test_applying_the_same_again_writes_nothing(self, api):
        first = api.apply("helm", config_map(a="1"))
        again = api.apply("helm", config_map(a="1"))
        assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


class TestRemoval:
    def test_what_is_no_longer_named_goes(self, api):
        api.apply("helm", config_map(a="1", b="2"))
        assert api.apply("helm", config_map(a="1"))["data"] == {"a": "1"}

    def test_unless_another_owns_it_too(self, api):
        api.apply("helm", config_map(a="1", b="2"))
        api.apply("other", config_map(b="2"))
        assert api.apply("helm", config_map(a="1"))["data"] == {"a": "1", "b": "2"}

    def test_or_took_it(self, api):
        api.apply("helm", config_map(a="1"))
        api.patch("configmaps", "settings", "merge", {"data": {"a": "2"}})
        assert api.apply("helm", config_map())["data"] == {"a": "2"}

    def test_a_container_goes_with_its_defaults(self, api):
        api.apply("helm", with_containers({"name": "web", "image": "a:1"}, {"name": "side", "image": "b:1"}))
        left = api.apply("helm", with_containers({"name": "web", "image": "a:1"}))
        assert [found["name"] for found in left["spec"]["template"]["spec"]["containers"]] == ["web"]

    def test_a_removed_strategy_is_the_default_again(self, api):
        api.apply("helm", deployment(strategy={"type": "Recreate"}))
        left = api.apply("helm", deployment())
        assert (left["spec"]["strategy"]) == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
        }


class TestLists:
    def test_one_port_number_for_two_protocols_is_two_ports(self, api):
        ports = [{"port": 53, "protocol": protocol, "name": protocol.lower()} for protocol in ("TCP", "UDP")]
        api.apply("helm", service(ports=ports))
        left = api.apply("helm", service(ports=ports[1:]))
        assert [(port["protocol"], port["port"]) for port in left["spec"]["ports"]] == [("UDP", 53)]

    def test_the_order_is_that_of_the_configuration(self, api):
        a, b, c = ({"name": name, "image": f"{name}:1"} for name in "abc")
        api.apply("helm", with_containers(a, b))
        merged = api.apply("helm", with_containers(c, b, a))
        assert [found["name"] for found in merged["spec"]["template"]["spec"]["containers"]] == ["c", "b", "a"]

    def test_items_of_others_keep_their_place(self, api):
        api.apply("other", service(ports=[{"port": port, "name": f"p{port}"} for port in (1, 2, 3)]))
        merged = api.apply("helm", service(ports=[{"port": 9, "name": "p9"}, {"port": 2, "name": "p2"}]))
        assert [port["port"] for port in merged["spec"]["ports"]] == [1, 9, 2, 3]

    def test_selectors_are_owned_whole(self, api):
        api.apply("helm", service())
        with pytest.raises(Refused, match=r'conflict with "helm": \.spec\.selector'):
            api.apply("other", service(selector={"app": "web", "tier": "front"}))


class TestConflicts:
    def test_another_value_is_a_conflict(self, api):
        api.apply("helm", config_map(a="1"))
        with pytest.raises(Refused) as refused:
            api.apply("other", config_map(a="2"))
        assert (refused.value.code, refused.value.reason) == (409, "Conflict")
        assert refused.value.message == 'Apply failed with 1 conflict: conflict with "helm": .data.a'
        assert (refused.value.details["causes"]) == [
            {"reason": "FieldManagerConflict", "message": 'conflict with "helm"', "field": ".data.a"}
        ]

    def test_several_are_listed_by_owner(self, api):
        api.apply("helm", deployment())
        api.patch("deployments", "web", "merge", {"spec": {"replicas": 1}}, "scale", fieldManager="kubectl")
        image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}
        api.patch("deployments", "web", "strategic", image, fieldManager="kubectl")
        with pytest.raises(Refused) as refused:
            api.apply("helm", deployment())
        assert refused.value.message == (
            'Apply failed with 2 conflicts: conflicts with "kubectl" with subresource "scale" using apps/v1:\n'
            "- .spec.replicas\n"
            'conflicts with "kubectl" using apps/v1:\n'
            '- .spec.template.spec.containers[name="web"].image'
        )

    def test_the_same_value_is_shared(self, api):
        api.apply("helm", config_map(a="1"))
        assert {"helm", "other"} == {manager for manager, _, _ in owners(api.apply("other", config_map(a="1")))}

    def test_force_takes_the_field_over(self, api):
        api.apply("helm", config_map(a="1"))
        assert {("other", "Apply", "")} == owners(api.apply("other", config_map(a="2"), force="true")).keys()


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"bogus": 1}, ".bogus: field not declared in schema"),
            ({"data": {"a": 5}}, ".data.a: expected string, got &value.valueUnstructured{Value:5}"),
            ({"data": []}, ".data: expected map, got &{[]}"),
        ],
    )
    def test_what_does_not_fit_the_type_is_an_error(self, api, change, said):
        """An internal error, as the API server calls it."""
        with pytest.raises(Refused) as refused:
            api.apply("helm", {**config_map(a="1"), **change})
        assert refused.value.code == 500
        assert f"failed to create typed patch object (/settings; /v1, Kind=ConfigMap): {said}" == refused.value.message

    @pytest.mark.parametrize(
        ("container", "said"),
        [
            ({"imag": "typo"}, '.spec.template.spec.containers[name="web"].imag: field not declared in schema'),
            (
                {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
                '.spec.template.spec.containers[name="web"].env: duplicate entries for key [name="A"]',
            ),
            (
                {"env": [{"name": "A", "value": 5}]},
                '.spec.template.spec.containers[name="web"].env[name="A"].value: '
                "expected string, got &value.valueUnstructured{Value:5}",
            ),
        ],
    )
    def test_also_deep_in_a_pod_template(self, api, container, said):
        with pytest.raises(Refused) as refused:
            api.apply("helm", deployment(container=container))
        assert f"failed to create typed patch object (/web; apps/v1, Kind=Deployment): {said}" == refused.value.message

    def test_a_manager_must_be_named(self, api):
        with pytest.raises(Refused) as refused:
            api.apply("", config_map(a="1"))
        assert (refused.value.code, refused.value.reason) == (422, "Invalid")

    def test_the_kind_must_be_named(self, api):
        with pytest.raises(Refused, match="invalid object type: /, Kind=ConfigMap"):
            api._answer(
                api.http.patch(
                    api.path("configmaps", "a"),
                    json={"kind": "ConfigMap"},
                    headers={"Content-Type": APPLY},
                    params={"fieldManager": "helm"},
                )
            )

    def test_owners_cannot_be_sent(self, api):
        metadata = {"name": "settings", "managedFields": [{"manager": "x"}]}
        with pytest.raises(Refused, match=r"metadata\.managedFields must be nil"):
            api.apply("helm", {**config_map(), "metadata": metadata})

    def test_a_stale_version_is_a_conflict(self, api):
        api.apply("helm", config_map(a="1"))
        with pytest.raises(Refused, match="the object has been modified"):
            api.apply("helm", {**config_map(a="2"), "metadata": {"name": "settings", "resourceVersion": "1"}})
