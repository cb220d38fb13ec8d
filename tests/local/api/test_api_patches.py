"""Strategic merge, merge and JSON patches, and the rules of writing that they share."""

import pytest
from api_manifests import config_map, deployment, service
from api_servers import Refused


@pytest.fixture
def web(api):
    """A Deployment with two containers."""
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side:1"})
    manifest["spec"]["template"]["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    api.create(manifest)

    def patch(type_, pod_spec, **parameters):
        changed = api.patch("deployments", "web", type_, {"spec": {"template": {"spec": pod_spec}}}, **parameters)
        return changed["spec"]["template"]["spec"]

    return patch


def names(pod_spec):
    return [container["name"] for container in pod_spec["containers"]]


class TestStrategicMerge:
    def test_changes_one_container(self, web):
        spec = web("strategic", {"containers": [{"name": "side", "image": "side:2"}]})
        assert {found["name"]: found["image"] for found in spec["containers"]} == {"web": "web:1", "side": "side:2"}

    @pytest.mark.parametrize(
        ("containers", "order"),
        [
            ([{"name": "new", "image": "n:1"}], ["new", "web", "side"]),
            ([{"name": "side", "image": "s:2"}, {"name": "new", "image": "n:1"}], ["web", "side", "new"]),
            (
                [{"name": "z", "image": "z:1"}, {"name": "web"}, {"name": "y", "image": "y:1"}],
                ["z", "web", "y", "side"],
            ),
            ([{"name": "web", "$patch": "delete"}], ["side"]),
            ([{"$patch": "replace"}, {"name": "only", "image": "o:1"}], ["only"]),
        ],
    )
    def test_orders_what_it_names(self, web, containers, order):
        assert order == names(web("strategic", {"containers": containers}))

    def test_orders_without_changing(self, web):
        order = [{"name": "side"}, {"name": "web"}]
        assert names(web("strategic", {"$setElementOrder/containers": order})) == ["side", "web"]

    def test_exchanges_the_source_of_a_volume(self, web):
        volume = {"name": "data", "$retainKeys": ["name", "configMap"], "configMap": {"name": "settings"}}
        spec = web("strategic", {"volumes": [volume]})
        assert spec["volumes"] == [{"name": "data", "configMap": {"name": "settings", "defaultMode": 0o644}}]

    def test_exchanges_the_source_of_a_variable(self, web):
        web("strategic", {"containers": [{"name": "web", "env": [{"name": "IP", "value": "::1"}]}]})
        source = {"fieldRef": {"fieldPath": "status.podIP"}}
        variable = {"name": "IP", "value": None, "valueFrom": source}
        spec = web("strategic", {"containers": [{"name": "web", "env": [variable]}]})
        [found] = [container["env"] for container in spec["containers"] if container["name"] == "web"]
        assert found == [{"name": "IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}]

    def test_a_port_is_known_by_its_number(self, api):
        api.create(service(ports=[{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]))
        changed = api.patch("services", "web", "strategic", {"spec": {"ports": [{"port": 81, "targetPort": 8081}]}})
        assert [(port["port"], port["targetPort"]) for port in changed["spec"]["ports"]] == [(80, 80), (81, 8081)]

    def test_finalizers_are_a_set(self, api):
        api.create(config_map())
        api.patch("configmaps", "settings", "strategic", {"metadata": {"finalizers": ["x.io/a"]}})
        both = api.patch("configmaps", "settings", "strategic", {"metadata": {"finalizers": ["x.io/b"]}})
        assert {"x.io/a", "x.io/b"} == set(both["metadata"]["finalizers"])
        removed = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a"]}}
        assert api.patch("configmaps", "settings", "strategic", removed)["metadata"]["finalizers"] == ["x.io/b"]
        api.patch("configmaps", "settings", "merge", {"metadata": {"finalizers": None}})

    def test_unknown_fields_are_warned_of(self, api):
        api.create(deployment())
        answer = api.http.patch(
            api.path("deployments", "web"),
            json={"spec": {"bogus": 1}},
            headers={"Content-Type": "application/strategic-merge-patch+json"},
        )
        assert answer.headers["Warning"] == '299 - "unknown field \\"spec.bogus\\""'

    def test_and_refused_by_strict_clients(self, api):
        api.create(deployment())
        with pytest.raises(Refused, match=r'strict decoding error: unknown field "spec\.bogus"') as refused:
            api.patch("deployments", "web", "strategic", {"spec": {"bogus": 1}}, fieldValidation="Strict")
        assert refused.value.code == 422


class TestMerge:
    def test_replaces_lists(self, web):
        assert names(web("merge", {"containers": [{"name": "web", "image": "web:9"}]})) == ["web"]

    def test_null_brings_the_default_back(self, api):
        api.create(deployment(strategy={"type": "Recreate"}, revisionHistoryLimit=3))
        changed = api.patch("deployments", "web", "merge", {"spec": {"strategy": None, "revisionHistoryLimit": None}})
        assert (changed["spec"]["strategy"]["type"], changed["spec"]["revisionHistoryLimit"]) == ("RollingUpdate", 10)

    def test_must_be_an_object(self, api):
        api.create(config_map())
        with pytest.raises(Refused) as refused:
            api.patch("configmaps", "settings", "merge", [1])
        assert (refused.value.code, refused.value.reason) == (400, "BadRequest")


class TestJson:
    def test_changes_by_path(self, api):
        api.create(config_map(a="1", b="2"))
        changes = [{"op": "replace", "path": "/data/a", "value": "3"}, {"op": "remove", "path": "/data/b"}]
        assert api.patch("configmaps", "settings", "json", changes)["data"] == {"a": "3"}

    @pytest.mark.parametrize(
        "change",
        [{"op": "test", "path": "/data/a", "value": "9"}, {"op": "remove", "path": "/data/absent"}],
    )
    def test_that_does_not_hold_changes_nothing(self, api, change):
        api.create(config_map(a="1"))
        with pytest.raises(Refused, match="the server rejected our request") as refused:
            api.patch("configmaps", "settings", "json", [{"op": "add", "path": "/data/b", "value": "2"}, change])
        assert refused.value.code == 422
        assert api.get("configmaps", "settings")["data"] == {"a": "1"}

    def test_must_be_a_list(self, api):
        api.create(config_map())
        with pytest.raises(Refused) as refused:
            api.patch("configmaps", "settings", "json", {"op": "remove"})
        assert refused.value.code == 400


class TestEveryPatch:
    def test_of_what_is_not_there(self, api):
        with pytest.raises(Refused, match='configmaps "absent" not found') as refused:
            api.patch("configmaps", "absent", "merge", {})
        assert (refused.value.code, refused.value.reason) == (404, "NotFound")

    def test_with_a_stale_version_is_a_conflict(self, api):
        api.create(config_map())
        with pytest.raises(Refused, match="the object has been modified") as refused:
            api.patch("configmaps", "settings", "strategic", {"metadata": {"resourceVersion": "1"}})
        assert refused.value.code == 409

    def test_of_an_unknown_form_is_unsupported(self, api):
        api.create(config_map())
        answer = api.http.patch(api.path("configmaps", "settings"), content="{}", headers={"Content-Type": "text/html"})
        assert answer.status_code == 415

    def test_of_the_status_changes_nothing_else(self, api):
        api.create(deployment())
        patch = {"spec": {"replicas": 4}, "metadata": {"labels": {"x": "y"}}, "status": {"collisionCount": 3}}
        changed = api.patch("deployments", "web", "merge", patch, "status")
        assert (
            changed["spec"]["replicas"],
            changed["metadata"].get("labels"),
            changed["status"]["collisionCount"],
        ) == (0, None, 3)

    def test_of_the_scale_refuses_less_than_nothing(self, api):
        api.create(deployment())
        with pytest.raises(Refused, match="must be greater than or equal to 0") as refused:
            api.patch("deployments", "web", "merge", {"spec": {"replicas": -1}}, "scale")
        assert refused.value.code == 422

    def test_on_trial_stores_nothing(self, api):
        api.create(config_map(a="1"))
        tried = api.patch("configmaps", "settings", "merge", {"data": {"a": "2"}}, dryRun="All")
        assert (tried["data"], api.get("configmaps", "settings")["data"]) == ({"a": "2"}, {"a": "1"})
