"""Every value of openmed-service has one effect, in the place where it belongs, and no other."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial import charts
from seatrial.errors import InputError

CHART = Path(__file__).parents[3] / "charts" / "openmed-service"
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
GONE = "no longer rendered"

POD = "Deployment.spec.template.spec"
BOX = f"{POD}.containers.0"
MOUNT = f"{BOX}.volumeMounts"
CLAIM = "PersistentVolumeClaim"
DATA = "ConfigMap.data"
CHECKSUM = "Deployment.spec.template.metadata.annotations.checksum/config"


@dataclass(frozen=True)
class Effect:
    """What a value, laid over `given`, changes: rendered path to what is there then."""

    value: Any
    changes: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)


def leaves(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of everything that can be set; an empty map or list is one such thing."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def branches(values: dict[str, Any], above: str = "") -> Iterator[str]:
    """Dotted paths of the maps that have fixed keys; the whole is the empty path."""
    yield above.removesuffix(".")
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from branches(value, f"{above}{key}.")


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def flat(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict | list) and node:
        for key, below in node.items() if isinstance(node, dict) else enumerate(node):
            yield from flat(below, f"{path}.{key}")
    else:
        yield path, node


def render(values: dict[str, Any]) -> dict[str, Any]:
    """Everything rendered, as path to scalar; the chart renders one object a kind."""
    manifests = charts.render(CHART, release="openmed-service", namespace="openmed", values=values)
    return {path: value for manifest in manifests for path, value in flat(manifest, manifest["kind"])}


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    paths = sorted(before.keys() | after.keys())
    return {path: after.get(path, GONE) for path in paths if before.get(path, GONE) != after.get(path, GONE)}


def own_hosts(name: str) -> str:
    return f"localhost,127.0.0.1,[::1],{name},{name}.openmed,{name}.openmed.svc,{name}.openmed.svc.cluster.local"


def renamed(name: str) -> dict[str, str]:
    """All that carries the full name."""
    return {
        "ConfigMap.metadata.name": f"{name}-config",
        "Deployment.metadata.name": name,
        "Service.metadata.name": name,
        f"{CLAIM}.metadata.name": f"{name}-model-cache",
        f"{BOX}.envFrom.0.configMapRef.name": f"{name}-config",
        f"{POD}.volumes.0.persistentVolumeClaim.claimName": f"{name}-model-cache",
        f"{DATA}.OPENMED_SERVICE_TRUSTED_HOSTS": own_hosts(name),
    }


def relabelled(name: str) -> dict[str, str]:
    """All places of the label app.kubernetes.io/name, the selectors among them."""
    label = "app.kubernetes.io/name"
    on_objects = {f"{kind}.metadata.labels.{label}": name for kind in ("ConfigMap", "Deployment", "Service", CLAIM)}
    on_pods = {f"Deployment.spec.template.metadata.labels.{label}": name}
    selectors = {f"Deployment.spec.selector.matchLabels.{label}": name, f"Service.spec.selector.{label}": name}
    return on_objects | on_pods | selectors


def no_claim() -> dict[str, str]:
    recommended = ("name", "instance", "version", "managed-by")
    labels = [*(f"app.kubernetes.io/{label}" for label in recommended), "helm.sh/chart"]
    places = ["apiVersion", "kind", "metadata.name", "metadata.namespace"]
    places += ["spec.accessModes.0", "spec.resources.requests.storage"]
    return {f"{CLAIM}.{place}": GONE for place in [*places, *(f"metadata.labels.{label}" for label in labels)]}


def probe_effects(probe: str) -> dict[str, Effect]:
    place = f"{BOX}.{probe}Probe"
    seconds = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold")
    path = {f"probes.{probe}.path": Effect("/other", {f"{place}.httpGet.path": "/other"})}
    return path | {f"probes.{probe}.{name}": Effect(17, {f"{place}.{name}": 17}) for name in seconds}


def setting(value: Any, variable: str, rendered: str, given: dict[str, Any] | None = None) -> Effect:
    return Effect(value, {f"{DATA}.{variable}": rendered}, given or {})


LIMITED = {"config": {"throttle": {"rateLimitBurst": 1}}}
HOSTS = own_hosts("openmed-service")
AFFINITY = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 7}]}}

EFFECTS: dict[str, Effect] = {
    "replicaCount": Effect(3, {"Deployment.spec.replicas": 3}),
    "image.repository": Effect("ghcr.io/a/b", {f"{BOX}.image": "ghcr.io/a/b:1.7.0"}),
    "image.tag": Effect("1.10", {f"{BOX}.image": "openmed:1.10"}),
    "image.pullPolicy": Effect("Always", {f"{BOX}.imagePullPolicy": "Always"}),
    "imagePullSecrets": Effect([{"name": "registry"}], {f"{POD}.imagePullSecrets.0.name": "registry"}),
    "nameOverride": Effect("pii", renamed("openmed-service-pii") | relabelled("pii")),
    "fullnameOverride": Effect("pii", renamed("pii")),
    "podLabels": Effect({"team": "7"}, {"Deployment.spec.template.metadata.labels.team": "7"}),
    "podAnnotations": Effect({"note": "yes"}, {"Deployment.spec.template.metadata.annotations.note": "yes"}),
    "podSecurityContext": Effect({"fsGroup": 10001}, {f"{POD}.securityContext.fsGroup": 10001}),
    "securityContext": Effect({"privileged": False}, {f"{BOX}.securityContext.privileged": False}),
    "terminationGracePeriodSeconds": Effect(2000000, {f"{POD}.terminationGracePeriodSeconds": 2000000}),
    "config.profile": setting("test", "OPENMED_PROFILE", "test"),
    "config.cacheDir": setting("/cache", "OPENMED_CACHE_DIR", "/cache"),
    "config.preloadModels": setting(["a/b", "c"], "OPENMED_SERVICE_PRELOAD_MODELS", "a/b,c"),
    "config.maxResidentModels": setting(2, "OPENMED_SERVICE_MAX_RESIDENT_MODELS", "2"),
    "config.keepAlive": setting("1h30m", "OPENMED_SERVICE_KEEP_ALIVE", "1h30m"),
    "config.maxTextLength": setting(2000000, "OPENMED_SERVICE_MAX_TEXT_LENGTH", "2000000"),
    "config.corsOrigins": setting(
        ["https://a.example:8443", "http://b"], "OPENMED_SERVICE_CORS_ORIGINS", "https://a.example:8443,http://b"
    ),
    "config.trustedHosts": setting(
        ["*.example.org", "localhost", "b"], "OPENMED_SERVICE_TRUSTED_HOSTS", f"{HOSTS},*.example.org,b"
    ),
    "config.batching.enabled": setting(True, "OPENMED_SERVICE_BATCHING_ENABLED", "true"),
    "config.batching.maxSize": setting(100, "OPENMED_SERVICE_BATCH_MAX_SIZE", "100"),
    "config.batching.maxWaitMs": setting(2.5, "OPENMED_SERVICE_BATCH_MAX_WAIT_MS", "2.5"),
    "config.coalescing.enabled": setting(True, "OPENMED_SERVICE_COALESCING_ENABLED", "true"),
    "config.shutdownDrainSeconds": setting(44.5, "OPENMED_SERVICE_SHUTDOWN_DRAIN_SECONDS", "44.5"),
    "config.metrics.enabled": setting(True, "OPENMED_SERVICE_METRICS_ENABLED", "true"),
    "config.throttle.rateLimitRps": setting(0.5, "OPENMED_SERVICE_RATE_LIMIT_RPS", "0.5", given=LIMITED),
    "config.throttle.rateLimitBurst": setting(5, "OPENMED_SERVICE_RATE_LIMIT_BURST", "5"),
    "config.throttle.maxConcurrency": setting(4, "OPENMED_SERVICE_RATE_LIMIT_MAX_CONCURRENCY", "4"),
    "config.throttle.concurrencyWaitSeconds": setting(2, "OPENMED_SERVICE_CONCURRENCY_WAIT_SECONDS", "2"),
    "config.throttle.keyBy": setting("peer", "OPENMED_SERVICE_THROTTLE_KEY", "peer"),
    "extraEnv": Effect([{"name": "A", "value": "1"}], {f"{BOX}.env.1.name": "A", f"{BOX}.env.1.value": "1"}),
    "service.type": Effect("NodePort", {"Service.spec.type": "NodePort"}),
    "service.port": Effect(80, {"Service.spec.ports.0.port": 80}),
    "service.targetPort": Effect(9000, {f"{BOX}.env.0.value": "9000", f"{BOX}.ports.0.containerPort": 9000}),
    "service.annotations": Effect({"a/b": "1"}, {"Service.metadata.annotations.a/b": "1"}),
    **probe_effects("liveness"),
    **probe_effects("readiness"),
    "resources.requests.cpu": Effect(0.25, {f"{BOX}.resources.requests.cpu": 0.25}),
    "resources.requests.memory": Effect("2G", {f"{BOX}.resources.requests.memory": "2G"}),
    "resources.limits.cpu": Effect("3", {f"{BOX}.resources.limits.cpu": "3"}),
    "resources.limits.memory": Effect(8589934592, {f"{BOX}.resources.limits.memory": 8589934592}),
    "persistence.enabled": Effect(
        False,
        no_claim()
        | {f"{MOUNT}.0.name": GONE, f"{MOUNT}.0.mountPath": GONE}
        | {f"{POD}.volumes.0.name": GONE, f"{POD}.volumes.0.persistentVolumeClaim.claimName": GONE},
    ),
    "persistence.existingClaim": Effect(
        "models", no_claim() | {f"{POD}.volumes.0.persistentVolumeClaim.claimName": "models"}
    ),
    "persistence.storageClassName": Effect("fast", {f"{CLAIM}.spec.storageClassName": "fast"}),
    "persistence.accessModes": Effect(["ReadWriteMany"], {f"{CLAIM}.spec.accessModes.0": "ReadWriteMany"}),
    "persistence.size": Effect("1Ti", {f"{CLAIM}.spec.resources.requests.storage": "1Ti"}),
    "persistence.mountPath": Effect("/cache", {f"{MOUNT}.0.mountPath": "/cache"}),
    "persistence.subPath": Effect("models", {f"{MOUNT}.0.subPath": "models"}),
    "persistence.annotations": Effect(
        {"helm.sh/resource-policy": "keep"}, {f"{CLAIM}.metadata.annotations.helm.sh/resource-policy": "keep"}
    ),
    "nodeSelector": Effect({"disk": "ssd"}, {f"{POD}.nodeSelector.disk": "ssd"}),
    "tolerations": Effect([{"operator": "Exists"}], {f"{POD}.tolerations.0.operator": "Exists"}),
    "affinity": Effect(AFFINITY, dict(flat(AFFINITY, f"{POD}.affinity"))),
    "extraVolumes": Effect(
        [{"name": "tmp", "emptyDir": {}}], {f"{POD}.volumes.1.name": "tmp", f"{POD}.volumes.1.emptyDir": {}}
    ),
    "extraVolumeMounts": Effect(
        [{"name": "tmp", "mountPath": "/tmp"}], {f"{MOUNT}.1.name": "tmp", f"{MOUNT}.1.mountPath": "/tmp"}
    ),
}


def test_no_value_is_without_a_described_effect():
    assert set(EFFECTS) == {path for path, _ in leaves(DEFAULTS)}


@pytest.mark.parametrize("path", EFFECTS)
def test_a_value_changes_what_it_governs_and_nothing_else(path):
    """New settings replace the pods, through the checksum in their annotations; all other values leave it alone."""
    effect = EFFECTS[path]
    before = render(effect.given)

    changes = difference(before, render(charts.with_value(CHART, effect.given, path, effect.value)))

    new_settings = any(place.startswith(f"{DATA}.") for place in effect.changes)
    assert new_settings == (changes.pop(CHECKSUM, None) is not None)
    assert effect.changes == changes


def test_the_readme_names_every_value_with_its_default():
    rows = re.findall(r"^\| `([\w.]+)` \| `(.*?)` \|", (CHART / "README.md").read_text(), re.MULTILINE)

    assert dict(leaves(DEFAULTS)) == {path: yaml.safe_load(default) for path, default in rows}


@pytest.mark.parametrize("path", [*EFFECTS, *filter(None, branches(DEFAULTS))])
def test_a_value_of_the_wrong_type_is_refused_by_its_path(path):
    default = charts.value_at(DEFAULTS, path)
    wrong = "text" if isinstance(default, dict | list) else ["text"]

    with pytest.raises(InputError, match=f"'/{path.replace('.', '/')}'"):
        render(nested(path, wrong))


# What the chart can do without; all else is needed, and missed by name when it is removed.
OPTIONAL = {
    *("imagePullSecrets", "nameOverride", "fullnameOverride", "image.tag", "extraEnv", "service.annotations"),
    *("podLabels", "podAnnotations", "podSecurityContext", "securityContext"),
    *("persistence.existingClaim", "persistence.storageClassName", "persistence.subPath", "persistence.annotations"),
    *("nodeSelector", "tolerations", "affinity", "extraVolumes", "extraVolumeMounts"),
    *("resources", "resources.requests", "resources.limits"),
    *(f"resources.{kind}.{resource}" for kind in ("requests", "limits") for resource in ("cpu", "memory")),
}


@pytest.mark.parametrize("path", [*EFFECTS, *filter(None, branches(DEFAULTS))])
def test_null_removes_a_value_that_is_optional_and_is_refused_elsewhere(path):
    if path in OPTIONAL:
        assert f"{BOX}.image" in render(nested(path, None))
    else:
        with pytest.raises(InputError, match=f"missing property '{path.rpartition('.')[2]}'"):
            render(nested(path, None))


@pytest.mark.parametrize("branch", list(branches(DEFAULTS)), ids=lambda branch: branch or "top")
def test_an_unknown_value_is_refused_at_every_depth(branch):
    path = f"{branch}.typo" if branch else "typo"
    if branch in ("resources.requests", "resources.limits"):  # any resource may be asked for, GPUs too
        assert render(nested(path, 1))[f"{BOX}.{path}"] == 1
    else:
        with pytest.raises(InputError, match="'typo' not allowed"):
            render(nested(path, 1))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replicaCount", -1),
        ("replicaCount", 1.5),
        ("image.repository", ""),
        ("image.pullPolicy", "Sometimes"),
        ("service.type", "ExternalName"),
        ("service.port", 0),
        ("service.targetPort", 65536),
        ("fullnameOverride", "Not_A_Name"),
        ("config.cacheDir", "relative"),
        ("config.maxTextLength", 0.5),
        ("config.maxTextLength", "many"),
        ("config.maxTextLength", "1e6"),
        ("config.maxResidentModels", "two"),
        ("config.throttle.rateLimitRps", ""),
        ("config.corsOrigins/0", ["https://a,https://b"]),
        ("config.trustedHosts/0", ["a b"]),
        ("config.profile", ""),
        ("config.preloadModels/0", [7]),
        ("config.trustedHosts/0", [7]),
        ("imagePullSecrets/0", ["registry"]),
        ("imagePullSecrets/0", [{}]),
        ("imagePullSecrets/0", [{"name": "registry", "typo": 1}]),
        ("imagePullSecrets/0/name", [{"name": ""}]),
        ("imagePullSecrets/0/name", [{"name": 7}]),
        ("extraEnv/0", ["A=1"]),
        ("extraEnv/0", [{"value": "1"}]),
        ("extraEnv/0", [{"name": "A", "val": "1"}]),
        ("extraEnv/0/name", [{"name": ""}]),
        ("extraEnv/0/name", [{"name": 7}]),
        ("extraEnv/0/value", [{"name": "A", "value": 1}]),
        ("extraEnv/0/valueFrom", [{"name": "A", "valueFrom": "secret"}]),
        ("tolerations/0", ["Exists"]),
        ("extraVolumes/0", ["tmp"]),
        ("extraVolumes/0", [{"emptyDir": {}}]),
        ("extraVolumeMounts/0/name", [{"name": ""}]),
        ("extraVolumeMounts/0/name", [{"name": 7}]),
        ("podLabels/a", {"a": 1}),
        ("persistence.accessModes/0", ["ReadWriteSometimes"]),
        ("persistence.accessModes", []),
        ("persistence.accessModes", ["ReadWriteMany", "ReadWriteMany"]),
        ("persistence.size", "big"),
        ("persistence.mountPath", "relative"),
        ("probes.readiness.path", "readyz"),
        ("probes.liveness.initialDelaySeconds", -1),
        ("probes.liveness.periodSeconds", 0),
        ("probes.liveness.timeoutSeconds", 0),
        ("probes.liveness.failureThreshold", 0),
        ("resources.limits.memory", "lots"),
        ("resources.limits.cpu", -1),
        ("resources.claims", "gpu"),
        ("resources.claims/0", ["gpu"]),
        ("global", "text"),
    ],
)
def test_a_value_outside_its_enumeration_or_form_is_refused_by_its_path(path, value):
    with pytest.raises(InputError, match=f"'/{path.replace('.', '/')}'"):
        render(nested(path.partition("/")[0], value))
