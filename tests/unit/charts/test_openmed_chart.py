"""The chart of openmed-service: names, labels, settings, probes, and what it refuses to render."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial import charts, helm
from seatrial.errors import InputError

CHART = Path(__file__).parents[3] / "charts" / "openmed-service"

DEFAULT_SETTINGS = {
    "OPENMED_PROFILE": "prod",
    "OPENMED_CACHE_DIR": "/root/.cache/huggingface/openmed",
    "OPENMED_SERVICE_PRELOAD_MODELS": "",
    "OPENMED_SERVICE_MAX_RESIDENT_MODELS": "",
    "OPENMED_SERVICE_KEEP_ALIVE": "10m",
    "OPENMED_SERVICE_MAX_TEXT_LENGTH": "1000000",
    "OPENMED_SERVICE_CORS_ORIGINS": "",
    "OPENMED_SERVICE_TRUSTED_HOSTS": (
        "localhost,127.0.0.1,[::1],"
        "openmed-service,openmed-service.openmed,openmed-service.openmed.svc,openmed-service.openmed.svc.cluster.local"
    ),
    "OPENMED_SERVICE_BATCHING_ENABLED": "false",
    "OPENMED_SERVICE_BATCH_MAX_SIZE": "8",
    "OPENMED_SERVICE_BATCH_MAX_WAIT_MS": "5",
    "OPENMED_SERVICE_COALESCING_ENABLED": "false",
    "OPENMED_SERVICE_SHUTDOWN_DRAIN_SECONDS": "30",
    "OPENMED_SERVICE_METRICS_ENABLED": "false",
    "OPENMED_SERVICE_RATE_LIMIT_RPS": "0",
    "OPENMED_SERVICE_RATE_LIMIT_BURST": "0",
    "OPENMED_SERVICE_RATE_LIMIT_MAX_CONCURRENCY": "0",
    "OPENMED_SERVICE_CONCURRENCY_WAIT_SECONDS": "0.05",
    "OPENMED_SERVICE_THROTTLE_KEY": "global",
}
SECRET_REFERENCE = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "openmed-hf-token", "key": "token"}}}


def render(values: dict[str, Any], release: str = "openmed-service", chart: Path = CHART) -> dict[str, Any]:
    """Manifests by kind; of each kind there is one."""
    manifests = charts.render(chart, release=release, namespace="openmed", values=values)
    assert len({manifest["kind"] for manifest in manifests}) == len(manifests)
    return {manifest["kind"]: manifest for manifest in manifests}


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def settings(values: dict[str, Any]) -> dict[str, str]:
    return render(values)["ConfigMap"]["data"]


def pod(values: dict[str, Any]) -> dict[str, Any]:
    return render(values)["Deployment"]["spec"]["template"]


def container(values: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod(values)["spec"]["containers"]
    return only


def throttle(**limits: Any) -> dict[str, Any]:
    return {"config": {"throttle": limits}}


def env(name: str, **source: Any) -> dict[str, Any]:
    return {"extraEnv": [{"name": name, **source}]}


def notes(tmp_path: Path, values: dict[str, Any]) -> str:
    """What Helm prints after an install: notes are not among the manifests, so a copy of the chart makes them one."""
    copy = shutil.copytree(CHART, tmp_path / "chart")
    text = (CHART / "templates" / "NOTES.txt").read_text()
    manifest = 'kind: Notes\nmetadata: {name: notes}\ntext: {{ include "notes" . | toJson }}\n'
    (copy / "templates" / "notes.yaml").write_text(f'{{{{- define "notes" }}}}{text}{{{{- end }}}}\n{manifest}')
    return render(values, chart=copy)["Notes"]["text"]


class TestObjects:
    def test_lint_finds_nothing_to_warn_of(self):
        assert [finding for finding in charts.lint(CHART, values={}) if finding.severity != "info"] == []

    def test_the_default_release_is_four_objects_in_its_namespace(self):
        manifests = render({})
        assert {kind: manifest["apiVersion"] for kind, manifest in manifests.items()} == {
            "ConfigMap": "v1",
            "Deployment": "apps/v1",
            "PersistentVolumeClaim": "v1",
            "Service": "v1",
        }
        assert {manifest["metadata"]["namespace"] for manifest in manifests.values()} == {"openmed"}

    def test_no_values_bring_in_an_ingress_an_autoscaler_a_secret_or_a_hook(self):
        everything = {
            "replicaCount": 3,
            "service": {"type": "LoadBalancer"},
            "config": {"metrics": {"enabled": True}, "preloadModels": ["m"], "corsOrigins": ["https://a"]},
            "imagePullSecrets": [{"name": "registry"}],
            "extraEnv": [SECRET_REFERENCE],
        }

        manifests = render(everything)

        assert set(manifests) == {"ConfigMap", "Deployment", "PersistentVolumeClaim", "Service"}
        assert not any("helm.sh/hook" in manifest["metadata"].get("annotations", {}) for manifest in manifests.values())

    def test_two_renders_are_equal_to_the_byte(self):
        values = {"podLabels": {"b": "1", "a": "2"}, "podAnnotations": {"d": "1", "c": "2"}}
        of = {"release": "r", "namespace": "n", "capabilities": charts.ANY_CLUSTER, "upgrade": False}
        first, second = (helm.available().render(CHART, values=values, **of) for _ in range(2))
        assert first == second

    def test_the_service_sends_to_the_port_that_the_container_listens_on(self):
        values = {"service": {"port": 80, "targetPort": 9000}}

        (port,) = render(values)["Service"]["spec"]["ports"]

        assert port == {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
        assert container(values)["ports"] == [{"name": "http", "containerPort": 9000, "protocol": "TCP"}]
        assert container(values)["env"] == [{"name": "OPENMED_SERVICE_PORT", "value": "9000"}]

    def test_an_empty_tag_is_the_version_of_the_application(self):
        metadata = yaml.safe_load((CHART / "Chart.yaml").read_text())
        assert container({"image": {"tag": ""}})["image"] == f"openmed:{metadata['appVersion']}" == "openmed:1.7.0"


class TestNames:
    @pytest.mark.parametrize(
        ("release", "values", "name"),
        [
            ("openmed-service", {}, "openmed-service"),
            ("prod-openmed-service-2", {}, "prod-openmed-service-2"),
            ("prod", {}, "prod-openmed-service"),
            ("prod", {"nameOverride": "pii"}, "prod-pii"),
            ("pii-prod", {"nameOverride": "pii"}, "pii-prod"),
            ("prod", {"fullnameOverride": "pii"}, "pii"),
            ("prod", {"fullnameOverride": "pii", "nameOverride": "x"}, "pii"),
            ("r" * 53, {}, "r" * 53 + "-openmed-s"),
            ("r" * 53, {"nameOverride": "123456789-0"}, "r" * 53 + "-123456789"),
            ("prod", {"fullnameOverride": "f" * 70}, "f" * 63),
            ("prod", {"fullnameOverride": "f" * 62 + "-f"}, "f" * 62),
        ],
    )
    def test_the_full_name_is_overridden_or_the_release_or_both_joined_and_cut_to_63(self, release, values, name):
        assert {kind: manifest["metadata"]["name"] for kind, manifest in render(values, release).items()} == {
            "ConfigMap": f"{name}-config",
            "Deployment": name,
            "PersistentVolumeClaim": f"{name}-model-cache",
            "Service": name,
        }

    def test_objects_refer_to_each_other_by_their_full_names(self):
        manifests = render({}, release="prod")
        spec = manifests["Deployment"]["spec"]["template"]["spec"]
        claim = {"claimName": "prod-openmed-service-model-cache"}
        assert spec["volumes"] == [{"name": "model-cache", "persistentVolumeClaim": claim}]
        assert spec["containers"][0]["envFrom"] == [{"configMapRef": {"name": "prod-openmed-service-config"}}]


class TestLabels:
    def test_every_object_and_the_pods_carry_the_recommended_labels(self):
        manifests = render({}, release="prod")
        metadata = [manifest["metadata"] for manifest in manifests.values()]
        metadata.append(manifests["Deployment"]["spec"]["template"]["metadata"])
        for labelled in metadata:
            assert labelled["labels"] == {
                "app.kubernetes.io/name": "openmed-service",
                "app.kubernetes.io/instance": "prod",
                "app.kubernetes.io/version": "1.7.0",
                "app.kubernetes.io/managed-by": "Helm",
                "helm.sh/chart": "openmed-service-0.1.0",
            }

    @pytest.mark.parametrize("values", [{}, {"podLabels": {"team": "a", "app.kubernetes.io/version": "2"}}])
    def test_pods_are_selected_by_name_and_instance_alone(self, values):
        manifests = render(values)
        selector = {"app.kubernetes.io/name": "openmed-service", "app.kubernetes.io/instance": "openmed-service"}
        assert manifests["Service"]["spec"]["selector"] == selector
        assert manifests["Deployment"]["spec"]["selector"] == {"matchLabels": selector}
        assert selector.items() <= pod(values)["metadata"]["labels"].items()

    @pytest.mark.parametrize("label", ["app.kubernetes.io/name", "app.kubernetes.io/instance"])
    def test_pod_labels_that_belong_to_the_selector_are_refused(self, label):
        with pytest.raises(InputError, match=f"podLabels, {label}:"):
            render({"podLabels": {label: "other"}})


class TestSettings:
    def test_the_defaults_are_the_19_variables(self):
        assert settings({}) == DEFAULT_SETTINGS
        assert len(DEFAULT_SETTINGS) == 19

    @pytest.mark.parametrize(
        ("path", "value", "variable", "rendered"),
        [
            ("config.maxTextLength", 1000000, "MAX_TEXT_LENGTH", "1000000"),
            ("config.maxTextLength", "1000000", "MAX_TEXT_LENGTH", "1000000"),
            ("config.maxTextLength", 1e6, "MAX_TEXT_LENGTH", "1000000"),
            ("config.maxTextLength", 123456789012, "MAX_TEXT_LENGTH", "123456789012"),
            ("config.maxResidentModels", "", "MAX_RESIDENT_MODELS", ""),
            ("config.maxResidentModels", "3", "MAX_RESIDENT_MODELS", "3"),
            ("config.keepAlive", "", "KEEP_ALIVE", ""),
            ("config.keepAlive", 0, "KEEP_ALIVE", "0"),
            ("config.keepAlive", 3000000, "KEEP_ALIVE", "3000000"),
            ("config.keepAlive", "never", "KEEP_ALIVE", "never"),
            ("config.shutdownDrainSeconds", 0, "SHUTDOWN_DRAIN_SECONDS", "0"),
            ("config.shutdownDrainSeconds", "2.5", "SHUTDOWN_DRAIN_SECONDS", "2.5"),
            ("config.batching.maxSize", "100", "BATCH_MAX_SIZE", "100"),
            ("config.batching.maxWaitMs", 2000000, "BATCH_MAX_WAIT_MS", "2000000"),
            ("config.throttle.rateLimitBurst", 20000000, "RATE_LIMIT_BURST", "20000000"),
            ("config.throttle.maxConcurrency", "16", "RATE_LIMIT_MAX_CONCURRENCY", "16"),
            ("config.throttle.concurrencyWaitSeconds", "0.05", "CONCURRENCY_WAIT_SECONDS", "0.05"),
            ("config.throttle.concurrencyWaitSeconds", 0.0000001, "CONCURRENCY_WAIT_SECONDS", "0.0000001"),
            ("config.throttle.concurrencyWaitSeconds", 1234567.25, "CONCURRENCY_WAIT_SECONDS", "1234567.25"),
            ("config.throttle.concurrencyWaitSeconds", 1e21, "CONCURRENCY_WAIT_SECONDS", "1" + "0" * 21),
        ],
    )
    def test_numbers_are_plain_decimals_however_they_are_given(self, path, value, variable, rendered):
        assert settings(nested(path, value)) == DEFAULT_SETTINGS | {f"OPENMED_SERVICE_{variable}": rendered}

    def test_own_hosts_come_first_and_none_is_listed_twice(self):
        hosts = settings({"config": {"trustedHosts": ["a", "localhost", "openmed-service", "a", "*.b"]}})
        own = DEFAULT_SETTINGS["OPENMED_SERVICE_TRUSTED_HOSTS"]
        assert hosts["OPENMED_SERVICE_TRUSTED_HOSTS"] == f"{own},a,*.b"

    def test_new_settings_replace_the_pods_and_other_values_do_not(self):
        checksum = "checksum/config"
        before = pod({})["metadata"]["annotations"]
        assert len(before[checksum]) == 64
        assert before[checksum] != pod({"config": {"keepAlive": "11m"}})["metadata"]["annotations"][checksum]
        assert pod({}) == pod({"service": {"annotations": {"a": "b"}}, "replicaCount": 3})

    def test_an_annotation_of_the_user_does_not_hide_new_settings(self):
        annotations = pod({"podAnnotations": {"checksum/config": "fixed"}})["metadata"]["annotations"]
        assert annotations == pod({})["metadata"]["annotations"]

    def test_a_secret_is_passed_on_as_a_reference_and_stays_out_of_the_config_map(self):
        values = {"extraEnv": [SECRET_REFERENCE]}
        assert container(values)["env"][1:] == [SECRET_REFERENCE]
        assert settings(values) == DEFAULT_SETTINGS


class TestProbes:
    @pytest.mark.parametrize(
        ("probe", "path", "delay_s", "period_s"),
        [("livenessProbe", "/livez", 10, 10), ("readinessProbe", "/readyz", 5, 5)],
    )
    def test_probes_name_a_host_that_the_service_trusts(self, probe, path, delay_s, period_s):
        header = {"name": "Host", "value": "localhost"}
        assert container({})[probe] == {
            "httpGet": {"path": path, "port": "http", "httpHeaders": [header]},
            "initialDelaySeconds": delay_s,
            "periodSeconds": period_s,
            "timeoutSeconds": 3,
            "failureThreshold": 3,
        }


class TestPersistence:
    def test_without_persistence_only_extra_volumes_are_mounted(self):
        values = {
            "persistence": {"enabled": False, "existingClaim": "models"},
            "extraVolumes": [{"name": "tmp", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        }
        assert "PersistentVolumeClaim" not in render(values)
        assert pod(values)["spec"]["volumes"] == values["extraVolumes"]
        assert container(values)["volumeMounts"] == values["extraVolumeMounts"]

    def test_without_any_volume_the_pod_has_no_empty_lists(self):
        values = {"persistence": {"enabled": False}}
        assert "volumes" not in pod(values)["spec"]
        assert "volumeMounts" not in container(values)

    def test_the_non_root_example_leaves_nothing_below_root(self):
        values = yaml.safe_load((CHART / "examples" / "non-root.yaml").read_text())
        assert pod(values)["spec"]["securityContext"].items() >= {"runAsNonRoot": True, "fsGroup": 10001}.items()
        assert container(values)["securityContext"]["readOnlyRootFilesystem"] is True
        assert settings(values)["OPENMED_CACHE_DIR"].startswith(container(values)["volumeMounts"][0]["mountPath"] + "/")
        assert "/root" not in str(render(values))


REFUSED = [
    ({"config": {"corsOrigins": ["*"]}}, ["config.corsOrigins"]),
    ({"config": {"corsOrigins": ["https://a", "https://*.b"]}}, ["config.corsOrigins", "https://*.b"]),
    ({"config": {"trustedHosts": ["a", "*"]}}, ["config.trustedHosts"]),
    (throttle(keyBy="tenant"), ["config.throttle.keyBy", "tenant"]),
    (throttle(keyBy="xff"), ["config.throttle.keyBy"]),
    (throttle(rateLimitRps=5), ["config.throttle.rateLimitRps", "config.throttle.rateLimitBurst"]),
    (throttle(rateLimitRps="0.5"), ["config.throttle.rateLimitRps", "config.throttle.rateLimitBurst"]),
    (throttle(rateLimitRps=-1), ["config.throttle.rateLimitRps"]),
    (throttle(rateLimitRps="-0.5"), ["config.throttle.rateLimitRps"]),
    (throttle(rateLimitBurst=-1), ["config.throttle.rateLimitBurst"]),
    (throttle(maxConcurrency=-1), ["config.throttle.maxConcurrency"]),
    (throttle(concurrencyWaitSeconds=-0.01), ["config.throttle.concurrencyWaitSeconds"]),
    ({"config": {"batching": {"maxWaitMs": -1}}}, ["config.batching.maxWaitMs"]),
    ({"config": {"batching": {"maxSize": 0}}}, ["config.batching.maxSize"]),
    ({"config": {"batching": {"maxSize": 101}}}, ["config.batching.maxSize"]),
    ({"config": {"shutdownDrainSeconds": -1}}, ["config.shutdownDrainSeconds"]),
    ({"config": {"maxResidentModels": 0}}, ["config.maxResidentModels"]),
    ({"config": {"maxResidentModels": "-1"}}, ["config.maxResidentModels"]),
    ({"config": {"maxTextLength": 0}}, ["config.maxTextLength"]),
    ({"config": {"maxTextLength": "-5"}}, ["config.maxTextLength"]),
    ({"terminationGracePeriodSeconds": 30}, ["terminationGracePeriodSeconds", "config.shutdownDrainSeconds"]),
    ({"config": {"shutdownDrainSeconds": 45}}, ["terminationGracePeriodSeconds", "config.shutdownDrainSeconds"]),
    *(
        (env(name, value="x"), ["extraEnv", name])
        for name in ("HF_TOKEN", "A_SECRET", "DB_PASSWORD", "API_KEY", "token")
    ),
    *((env(name, value="x"), ["extraEnv", name]) for name in [*DEFAULT_SETTINGS, "OPENMED_SERVICE_PORT"]),
    *((env(name, valueFrom={}), ["extraEnv", name]) for name in ["OPENMED_PROFILE"]),
]


class TestRefusals:
    @pytest.mark.parametrize(("values", "named"), REFUSED, ids=str)
    def test_what_cannot_work_is_refused_by_name(self, values, named):
        with pytest.raises(InputError) as refusal:
            render(values)
        (mistake,) = [line for line in str(refusal.value).splitlines() if line.startswith("- ")]
        assert [name for name in named if name not in mistake] == []
        assert "expected" in mistake
        assert "found" in mistake

    def test_all_mistakes_are_told_at_once(self):
        with pytest.raises(InputError) as refusal:
            render(throttle(keyBy="tenant", maxConcurrency=-1) | env("HF_TOKEN", value="x"))
        for name in ("config.throttle.keyBy", "config.throttle.maxConcurrency", "HF_TOKEN"):
            assert f"{name}: expected" in str(refusal.value)

    @pytest.mark.parametrize(
        "values",
        [
            {"config": {"trustedHosts": ["*.example.org"]}},
            throttle(keyBy="x-forwarded-for"),
            throttle(rateLimitRps=5, rateLimitBurst=1),
            throttle(rateLimitRps=0, rateLimitBurst=0, maxConcurrency=0, concurrencyWaitSeconds=0),
            {"config": {"batching": {"maxSize": 1, "maxWaitMs": 0}}},
            {"config": {"batching": {"maxSize": 100}}},
            {"config": {"maxResidentModels": 1, "maxTextLength": 1}},
            {"config": {"shutdownDrainSeconds": 0}, "terminationGracePeriodSeconds": 1},
            {"config": {"shutdownDrainSeconds": 44.9}},
            env("TOKENIZERS_PARALLELISM", value="false"),
            env("HF_TOKEN", valueFrom={"secretKeyRef": {"name": "s", "key": "k"}}),
            {"global": {"region": "eu"}},
            {"podLabels": None, "podAnnotations": None, "extraEnv": None, "resources": None},
        ],
        ids=str,
    )
    def test_the_nearest_that_works_is_rendered(self, values):
        assert "Deployment" in render(values)


class TestNotes:
    @pytest.mark.parametrize(
        ("values", "warning"),
        [
            ({}, "All pods must run on the same node"),
            ({"replicaCount": 3}, "All pods must run on the same node"),
            ({"persistence": {"accessModes": ["ReadWriteOncePod"]}}, "Only one pod at a time"),
            ({"persistence": {"existingClaim": "models"}}, "if the claim models is ReadWriteOnce"),
            ({"persistence": {"enabled": False}}, "persistence.enabled is false"),
            ({"persistence": {"mountPath": "/cache"}}, "config.cacheDir"),
            ({"persistence": {"mountPath": "/root/.cache/hugging"}}, "config.cacheDir"),
        ],
    )
    def test_notes_warn_of_a_volume_that_ties_pods_down_or_loses_models(self, tmp_path, values, warning):
        assert warning in notes(tmp_path, values).partition("WARNING")[2]

    def test_notes_do_not_warn_of_a_shared_volume(self, tmp_path):
        assert "WARNING" not in notes(tmp_path, {"persistence": {"accessModes": ["ReadWriteMany"]}})

    def test_notes_say_that_limits_are_kept_by_each_pod(self, tmp_path):
        assert "3 pods" in notes(tmp_path, {"replicaCount": 3} | throttle(maxConcurrency=2))

    def test_notes_say_what_readiness_waits_for(self, tmp_path):
        assert "after they have loaded a/b, c:" in notes(tmp_path, {"config": {"preloadModels": ["a/b", "c"]}})

    def test_notes_say_how_to_reach_the_service(self, tmp_path):
        said = notes(tmp_path, {"service": {"port": 80}})
        assert "kubectl --namespace openmed rollout status deployment/openmed-service" in said
        assert "http://openmed-service.openmed.svc:80" in said
        assert "kubectl --namespace openmed port-forward service/openmed-service 80:80" in said
