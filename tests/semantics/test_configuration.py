"""ConfigMaps, Secrets and fields of the pod: as environment, as files, and when they change.

Source: Kubernetes, "ConfigMaps"; "Secrets"; "Downward API".
"""

import base64

import pytest

from semantics.kube import Kube, Refused, eventually
from semantics.workload import Witness

REPORT = """
def contents(path):
    return open(path).read() if os.path.exists(path) else None
def report():
    tell("state", env={name: os.environ.get(name) for name in names}, files={path: contents(path) for path in paths})
"""
WATCH = """
while True:
    report()
    time.sleep(0.5)
"""
MODE = "tell('mode', of=oct(os.stat('/etc/keys/token').st_mode & 0o777))"
ONCE = "report(); time.sleep(600)"


def script(then: str, *, names: list[str] | None = None, paths: list[str] | None = None) -> str:
    return f"{REPORT}\nnames = {names or []}\npaths = {paths or []}\n{then}"


def from_map(name: str, key: str, **more) -> dict:
    return {"configMapKeyRef": {"name": name, "key": key, **more}}


@pytest.fixture(scope="module")
def config(kube, witness):
    kube.create({"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"level": "low", "mode": "a"}})
    kube.create({"kind": "ConfigMap", "metadata": {"name": "fixed"}, "data": {"level": "low"}, "immutable": True})
    token = base64.b64encode(b"s3cret").decode()
    kube.create(
        {"kind": "Secret", "metadata": {"name": "keys"}, "data": {"token": token}, "stringData": {"user": "me"}}
    )
    volumes = [
        {"name": "whole", "configMap": {"name": "settings"}},
        {"name": "some", "configMap": {"name": "settings", "items": [{"key": "mode", "path": "deep/mode.txt"}]}},
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
        {"name": "absent", "configMap": {"name": "not-there", "optional": True}},
        {"name": "pod", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    mounts = [
        {"name": "whole", "mountPath": "/etc/whole"},
        {"name": "whole", "mountPath": "/etc/single/level", "subPath": "level"},
        {"name": "some", "mountPath": "/etc/some"},
        {"name": "keys", "mountPath": "/etc/keys"},
        {"name": "absent", "mountPath": "/etc/absent"},
        {"name": "pod", "mountPath": "/etc/pod"},
    ]
    env = [
        {"name": "LEVEL", "valueFrom": from_map("settings", "level")},
        {"name": "ABSENT", "valueFrom": from_map("settings", "nothing", optional=True)},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "USER_NAME", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "user"}}},
        {"name": "GREETING", "value": "level $(LEVEL) of $(NOBODY) and $$(LEVEL)"},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu", "divisor": "1m"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
    ]
    names = [
        "LEVEL",
        "ABSENT",
        "TOKEN",
        "USER_NAME",
        "GREETING",
        "CPU",
        "APP",
        "SET_level",
        "SET_mode",
        "KUBERNETES_SERVICE_HOST",
    ]
    paths = ["/etc/whole/level", "/etc/whole/mode", "/etc/single/level", "/etc/some/deep/mode.txt", "/etc/some/level"]
    paths += ["/etc/keys/token", "/etc/pod/labels", "/etc/absent/any"]
    kube.create(
        witness.pod(
            "reader",
            script(
                "tell('mode', of=oct(os.stat('/etc/keys/token').st_mode & 0o777))\n" + WATCH, names=names, paths=paths
            ),
            env=env,
            envFrom=[{"prefix": "SET_", "configMapRef": {"name": "settings"}}],
            volumeMounts=mounts,
            resources={"requests": {"cpu": "25m"}},
            spec={"volumes": volumes},
        )
    )
    kube.create(
        witness.pod(
            "waiting", script(ONCE, names=["LEVEL"]), env=[{"name": "LEVEL", "valueFrom": from_map("later", "level")}]
        )
    )
    later = {"volumes": [{"name": "later", "configMap": {"name": "later-still"}}]}
    mount = [{"name": "later", "mountPath": "/etc/later"}]
    kube.create(witness.pod("unmounted", script(ONCE, paths=["/etc/later/level"]), volumeMounts=mount, spec=later))
    eventually(lambda: states(witness, kube, "reader"), within_s=60)
    return kube


def states(witness: Witness, kube: Kube, pod: str) -> list[dict]:
    return [said.more for said in witness.heard(kube.namespace, pod, "state")]


@pytest.fixture(scope="module")
def first(config, witness):
    return states(witness, config, "reader")[0]


class TestEnvironment:
    def test_keys_of_config_maps_and_secrets(self, first):
        assert (first["env"]["LEVEL"], first["env"]["TOKEN"], first["env"]["USER_NAME"]) == ("low", "s3cret", "me")

    def test_an_optional_key_that_is_missing_is_not_set(self, first):
        assert first["env"]["ABSENT"] is None

    def test_all_keys_with_a_prefix(self, first):
        assert (first["env"]["SET_level"], first["env"]["SET_mode"]) == ("low", "a")

    def test_earlier_variables_can_be_used_in_values(self, first):
        assert first["env"]["GREETING"] == "level low of $(NOBODY) and $(LEVEL)"

    def test_fields_and_resources_of_the_pod(self, first):
        assert (first["env"]["APP"], first["env"]["CPU"]) == ("reader", "25")

    def test_the_address_of_the_api_is_there(self, first):
        assert first["env"]["KUBERNETES_SERVICE_HOST"]


class TestFiles:
    def test_each_key_is_a_file(self, first):
        assert (first["files"]["/etc/whole/level"], first["files"]["/etc/whole/mode"]) == ("low", "a")

    def test_chosen_keys_go_to_chosen_paths_and_the_others_nowhere(self, first):
        assert first["files"]["/etc/some/deep/mode.txt"] == "a"
        assert first["files"]["/etc/some/level"] is None

    def test_one_key_can_be_one_file(self, first):
        assert first["files"]["/etc/single/level"] == "low"

    def test_a_secret_is_decoded_and_keeps_its_mode(self, config, witness, first):
        assert first["files"]["/etc/keys/token"] == "s3cret"
        assert witness.heard(config.namespace, "reader", "mode")[0].more["of"] == "0o400"

    def test_an_optional_source_that_is_missing_is_an_empty_folder(self, first):
        assert first["files"]["/etc/absent/any"] is None

    def test_labels_of_the_pod(self, first):
        assert 'app="reader"' in first["files"]["/etc/pod/labels"]


class TestMissing:
    def test_a_container_waits_for_its_environment_and_then_starts(self, config, witness):
        def waits():
            statuses = config.get("Pod", "waiting")["status"].get("containerStatuses") or [{"state": {}}]
            return statuses[0]["state"].get("waiting", {}).get("reason") == "CreateContainerConfigError"

        eventually(waits)
        assert states(witness, config, "waiting") == []
        config.create({"kind": "ConfigMap", "metadata": {"name": "later"}, "data": {"level": "high"}})
        nudge(config, "waiting")
        assert eventually(lambda: states(witness, config, "waiting"), within_s=90)[0]["env"]["LEVEL"] == "high"

    def test_a_pod_waits_for_its_files_and_then_starts(self, config, witness):
        eventually(lambda: config.events("unmounted", "FailedMount"))
        assert config.get("Pod", "unmounted")["status"]["phase"] == "Pending"
        config.create({"kind": "ConfigMap", "metadata": {"name": "later-still"}, "data": {"level": "high"}})
        state = eventually(lambda: states(witness, config, "unmounted"), within_s=110)[0]
        assert state["files"]["/etc/later/level"] == "high"


class TestChange:
    @pytest.fixture(scope="class")
    def last(self, config, witness):
        config.patch("ConfigMap", "settings", {"data": {"level": "high", "added": "new"}})
        nudge(config, "reader")

        def updated():
            return states(witness, config, "reader")[-1]["files"]["/etc/whole/level"] == "high"

        eventually(updated, within_s=110, every_s=0.5)
        return states(witness, config, "reader")[-1]

    def test_mounted_files_follow(self, last):
        assert last["files"]["/etc/whole/level"] == "high"

    def test_the_environment_does_not(self, last):
        assert (last["env"]["LEVEL"], last["env"]["SET_level"]) == ("low", "low")

    def test_a_single_mounted_file_does_not(self, last):
        assert last["files"]["/etc/single/level"] == "low"

    def test_the_container_is_not_restarted(self, config, last):
        assert config.get("Pod", "reader")["status"]["containerStatuses"][0]["restartCount"] == 0

    def test_an_immutable_one_cannot_change(self, config):
        with pytest.raises(Refused, match="immutable") as refusal:
            config.patch("ConfigMap", "fixed", {"data": {"level": "high"}})
        assert refusal.value.code == 422


def nudge(kube: Kube, pod: str) -> None:
    """Makes a kubelet look at a pod now rather than at its next round, which may take a minute."""
    kube.patch("Pod", pod, {"metadata": {"annotations": {"nudged": "yes"}}})
