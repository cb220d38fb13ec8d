"""What an API server refuses, field by field: a chart with such a mistake must not pass where it is cheap to try.

Each row is one change to a manifest that is otherwise good. `container.` is the first container of a pod.
Answers are those of Kubernetes 1.34. All requests are dry runs.
"""

from typing import Any

import pytest

from semantics.kube import Kube, Refused

CONTAINER = {"name": "c", "image": "x"}
GOOD: dict[str, dict[str, Any]] = {
    "Pod": {"containers": [CONTAINER]},
    "Deployment": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}},
    },
    "Service": {"ports": [{"port": 80}]},
    "ConfigMap": {},
    "Secret": {},
    "Job": {"template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}},
    "HorizontalPodAutoscaler": {
        "maxReplicas": 3,
        "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
    },
    "PodDisruptionBudget": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}},
    "PersistentVolumeClaim": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}

# Kind: path, value (None: left out), the field that the answer names.
INVALID = {
    "Pod": [
        ("container.image", "", "container.image"),
        ("container.image", None, "container.image"),
        ("container.name", "A_b", "container.name"),
        ("container.imagePullPolicy", "Sometimes", "container.imagePullPolicy"),
        ("spec.restartPolicy", "Maybe", "spec.restartPolicy"),
        ("spec.containers", [], "spec.containers"),
        ("container.env", [{"name": ""}], "container.env[0].name"),
        (
            "container.env",
            [{"name": "a", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            "container.env[0].valueFrom",
        ),
        (
            "container.env",
            [{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "status.nope"}}}],
            "container.env[0].valueFrom.fieldRef.fieldPath",
        ),
        ("container.ports", [{"containerPort": 0}], "container.ports[0].containerPort"),
        ("container.ports", [{"containerPort": 70000}], "container.ports[0].containerPort"),
        ("container.ports", [{"containerPort": 80, "name": "way-too-long-a-name"}], "container.ports[0].name"),
        ("container.ports", [{"containerPort": 80, "protocol": "HTTP"}], "container.ports[0].protocol"),
        ("container.resources", {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}, "container.resources.requests"),
        ("container.resources", {"limits": {"cpus": "1"}}, "container.resources.limits[cpus]"),
        ("container.resources", {"requests": {"memory": "-1"}}, "container.resources.requests[memory]"),
        ("container.volumeMounts", [{"name": "n", "mountPath": "/a"}], "container.volumeMounts[0].name"),
        ("spec.volumes", [{"name": "a"}, {"name": "a"}], "spec.volumes[1].name"),
        ("spec.volumes", [{"name": "a", "emptyDir": {}, "configMap": {"name": "x"}}], "spec.volumes[0].configMap"),
        ("spec.volumes", [{"name": "a", "configMap": {}}], "spec.volumes[0].configMap.name"),
        ("spec.volumes", [{"name": "a", "secret": {}}], "spec.volumes[0].secret.secretName"),
        ("container.livenessProbe", {}, "container.livenessProbe"),
        ("container.livenessProbe", {"httpGet": {"path": "/"}}, "container.livenessProbe.httpGet.port"),
        (
            "container.livenessProbe",
            {"httpGet": {"path": "/", "port": "nope-nope-nope-nope"}},
            "container.livenessProbe.httpGet.port",
        ),
        (
            "container.livenessProbe",
            {"httpGet": {"port": 80}, "successThreshold": 2},
            "container.livenessProbe.successThreshold",
        ),
        (
            "container.livenessProbe",
            {"httpGet": {"port": 80}, "periodSeconds": -1},
            "container.livenessProbe.periodSeconds",
        ),
        (
            "container.livenessProbe",
            {"httpGet": {"port": 80, "scheme": "FTP"}},
            "container.livenessProbe.httpGet.scheme",
        ),
        (
            "container.readinessProbe",
            {"httpGet": {"port": 80}, "terminationGracePeriodSeconds": 1},
            "container.readinessProbe.terminationGracePeriodSeconds",
        ),
        (
            "container.livenessProbe",
            {"httpGet": {"port": 80}, "terminationGracePeriodSeconds": 0},
            "container.livenessProbe.terminationGracePeriodSeconds",
        ),
        ("container.lifecycle", {"preStop": {}}, "container.lifecycle.preStop"),
        ("container.lifecycle", {"preStop": {"sleep": {"seconds": -1}}}, "container.lifecycle.preStop.sleep"),
        ("container.lifecycle", {"preStop": {"sleep": {"seconds": 60}}}, "container.lifecycle.preStop.sleep"),
        ("container.lifecycle", {"preStop": {"exec": {}}}, "container.lifecycle.preStop.exec.command"),
        ("spec.activeDeadlineSeconds", 0, "spec.activeDeadlineSeconds"),
        ("spec.dnsPolicy", "X", "spec.dnsPolicy"),
        ("spec.nodeSelector", {"a b": "c"}, "spec.nodeSelector"),
        ("spec.tolerations", [{"key": "a", "operator": "Equals"}], "spec.tolerations[0].operator"),
        ("spec.hostname", "A.b", "spec.hostname"),
        ("container.securityContext", {"runAsUser": -1}, "container.securityContext.runAsUser"),
        (
            "container.securityContext",
            {"privileged": True, "allowPrivilegeEscalation": False},
            "container.securityContext",
        ),
        ("spec.initContainers", [{"name": "c", "image": "x"}], "spec.initContainers[0].name"),
        (
            "spec.initContainers",
            [{"name": "i", "image": "x", "livenessProbe": {"httpGet": {"port": 80}}}],
            "spec.initContainers[0].livenessProbe",
        ),
        ("metadata.labels", {"a": "b c"}, "metadata.labels"),
        ("metadata.labels", {"-a": "b"}, "metadata.labels"),
        ("metadata.name", "x" * 300, "metadata.name"),
        ("metadata.name", None, "metadata.name"),
        ("metadata.finalizers", ["a"], "metadata.finalizers[0]"),
        ("metadata.ownerReferences", [{"name": "x"}], "metadata.ownerReferences.apiVersion"),
        ("container.terminationMessagePolicy", "X", "container.terminationMessagePolicy"),
    ],
    "Deployment": [
        ("spec.replicas", -1, "spec.replicas"),
        ("spec.selector", {}, "spec.selector"),
        ("spec.selector", None, "spec.selector"),
        ("spec.selector", {"matchLabels": {"a": "c"}}, "spec.template.metadata.labels"),
        ("spec.strategy", {"type": "Rolling"}, "spec.strategy"),
        ("spec.strategy", {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}, "spec.strategy.rollingUpdate"),
        (
            "spec.strategy",
            {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
            "spec.strategy.rollingUpdate.maxUnavailable",
        ),
        ("spec.strategy", {"rollingUpdate": {"maxSurge": "1"}}, "spec.strategy.rollingUpdate.maxSurge"),
        ("spec.strategy", {"rollingUpdate": {"maxUnavailable": "150%"}}, "spec.strategy.rollingUpdate.maxUnavailable"),
        ("spec.strategy", {"rollingUpdate": {"maxSurge": -1}}, "spec.strategy.rollingUpdate.maxSurge"),
        ("spec.progressDeadlineSeconds", 0, "spec.progressDeadlineSeconds"),
        ("spec.minReadySeconds", -1, "spec.minReadySeconds"),
        ("spec.minReadySeconds", 700, "spec.progressDeadlineSeconds"),
        ("spec.template.spec.restartPolicy", "Never", "spec.template.spec.restartPolicy"),
        ("spec.template.container.image", "", "spec.template.container.image"),
        ("spec.template.metadata.labels", None, "spec.template.metadata.labels"),
        ("spec.template.spec.activeDeadlineSeconds", 5, "spec.template.spec.activeDeadlineSeconds"),
        ("spec.template", None, "spec.template.spec.containers"),
        ("spec.revisionHistoryLimit", -1, "spec.revisionHistoryLimit"),
    ],
    "Service": [
        ("spec.ports", [], "spec.ports"),
        ("spec.ports", [{"port": 0}], "spec.ports[0].port"),
        ("spec.ports", [{"port": 80}, {"port": 81}], "spec.ports[0].name"),
        ("spec.ports", [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}], "spec.ports[1]"),
        ("spec.ports", [{"port": 80, "nodePort": 80}], "spec.ports[0].nodePort"),
        ("spec.type", "X", "spec.type"),
        ("spec.clusterIP", "1.2.3", "spec.clusterIPs[0]"),
        ("spec.sessionAffinity", "X", "spec.sessionAffinity"),
        ("spec.ports", [{"port": 80, "targetPort": "a_b"}], "spec.ports[0].targetPort"),
        ("metadata.name", "1x", "metadata.name"),
        ("spec.selector", {"a": "b c"}, "spec.selector"),
        ("spec.externalTrafficPolicy", "Local", "spec.externalTrafficPolicy"),
        ("spec.type", "ExternalName", "spec.externalName"),
    ],
    "ConfigMap": [
        ("data", {"a/b": "c"}, "data[a/b]"),
        ("data", {"": "c"}, "data[]"),
    ],
    "Secret": [
        ("type", "kubernetes.io/tls", "data[tls.crt]"),
        ("type", "kubernetes.io/dockerconfigjson", "data[.dockerconfigjson]"),
    ],
    "Job": [
        ("spec.template.spec.restartPolicy", "Always", "spec.template.spec.restartPolicy"),
        ("spec.backoffLimit", -1, "spec.backoffLimit"),
        ("spec.completions", -1, "spec.completions"),
        ("spec.parallelism", -1, "spec.parallelism"),
        ("spec.ttlSecondsAfterFinished", -1, "spec.ttlSecondsAfterFinished"),
        ("spec.activeDeadlineSeconds", -1, "spec.activeDeadlineSeconds"),
        ("spec.selector", {"matchLabels": {"a": "b"}}, "spec.selector"),
        ("spec.template.spec.restartPolicy", None, "spec.template.spec.restartPolicy"),
        ("spec.completionMode", "X", "spec.completionMode"),
    ],
    "HorizontalPodAutoscaler": [
        ("spec.maxReplicas", 0, "spec.maxReplicas"),
        ("spec.maxReplicas", None, "spec.maxReplicas"),
        ("spec.minReplicas", 5, "spec.maxReplicas"),
        ("spec.minReplicas", 0, "spec.minReplicas"),
        ("spec.scaleTargetRef", {"kind": "Deployment"}, "spec.scaleTargetRef.name"),
        ("spec.metrics", [{"type": "Resource"}], "spec.metrics[0].resource"),
        (
            "spec.metrics",
            [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}],
            "spec.metrics[0].resource.target.averageUtilization",
        ),
        ("spec.metrics", [{"type": "X"}], "spec.metrics[0].type"),
        (
            "spec.behavior",
            {"scaleDown": {"stabilizationWindowSeconds": 4000}},
            "spec.behavior.scaleDown.stabilizationWindowSeconds",
        ),
        ("spec.behavior", {"scaleUp": {"policies": []}}, "spec.behavior.scaleUp.policies"),
        (
            "spec.behavior",
            {"scaleUp": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 15}]}},
            "spec.behavior.scaleUp.policies[0].value",
        ),
        (
            "spec.behavior",
            {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 2000}]}},
            "spec.behavior.scaleUp.policies[0].periodSeconds",
        ),
    ],
    "PodDisruptionBudget": [
        ("spec.maxUnavailable", 1, "spec"),
        ("spec.minAvailable", "x", "spec.minAvailable"),
        ("spec.minAvailable", "150%", "spec.minAvailable"),
        ("spec.minAvailable", -1, "spec.minAvailable"),
        ("spec.unhealthyPodEvictionPolicy", "X", "spec.unhealthyPodEvictionPolicy"),
    ],
    "PersistentVolumeClaim": [
        ("spec.accessModes", [], "spec.accessModes"),
        ("spec.accessModes", ["X"], "spec.accessModes"),
        ("spec.resources", {}, "spec.resources[storage]"),
        ("spec.resources", {"requests": {"storage": "0"}}, "spec.resources[storage]"),
    ],
}

# Values of a wrong type, or that cannot be read: refused before any field is looked at.
UNREADABLE = {
    "Pod": [
        ("container.env", [{"name": "a", "value": 1}]),
        ("container.resources", {"limits": {"cpu": "abc"}}),
        ("container.resources", {"limits": {"memory": "10x"}}),
        ("spec.terminationGracePeriodSeconds", "30s"),
        ("container.workingDir", 5),
        ("container.command", "sh"),
        ("container.replicas", 5),
        ("metadata.labels", {"a": 1}),
        ("metadata.labels", {"a": True}),
        ("metadata.annotations", {"a": 1}),
    ],
    "ConfigMap": [
        ("data", {"a": 1}),
        ("data", {"a": True}),
        ("binaryData", {"a": "!"}),
        ("datas", {}),
        ("data", []),
    ],
    "Secret": [
        ("data", {"a": "!"}),
        ("data", {"a": "x"}),
        ("stringData", {"a": 1}),
    ],
    "PersistentVolumeClaim": [
        ("spec.resources", {"requests": {"storage": "1GB"}}),
    ],
}

# Odd, and taken all the same.
TAKEN = {
    "Pod": [
        ("container.env", [{"name": "1-a", "value": "x"}]),
        ("container.livenessProbe", {"httpGet": {"port": 80}, "timeoutSeconds": 0}),
        ("spec.terminationGracePeriodSeconds", -1),
        ("spec.initContainers", [{"name": "i", "image": "x", "restartPolicy": "Never"}]),
    ],
    "Deployment": [
        ("spec.replicas", None),
    ],
    "Service": [
        ("spec.ports", [{"port": 80, "targetPort": 0}]),
    ],
    "ConfigMap": [
        ("data", {"a": None}),
    ],
}


def rows(table: dict[str, list[tuple]]) -> list[Any]:
    return [
        pytest.param(kind, *row, id=f"{kind} {row[0]} {str(row[1])[:60]}")
        for kind, found in table.items()
        for row in found
    ]


def with_change(kind: str, path: str, value: Any) -> dict[str, Any]:
    """The good manifest of that kind with one value changed, or left out."""
    manifest = {"kind": kind, "metadata": {"name": "x"}}
    if GOOD[kind]:
        manifest["spec"] = GOOD[kind]
    return changed(manifest, path.replace("container.", "spec.containers.0.").split("."), value)


def changed(found: Any, keys: list[str], value: Any) -> Any:
    """A copy with the value at the end of `keys` set, or left out."""
    first, *rest = keys
    if isinstance(found, list):
        return [changed(entry, rest, value) if number == int(first) else entry for number, entry in enumerate(found)]
    if rest:
        return {**found, first: changed(found.get(first, {}), rest, value)}
    others = {key: entry for key, entry in found.items() if key != first}
    return others if value is None else {**others, first: value}


def try_to_create(kube: Kube, manifest: dict[str, Any]) -> None:
    kube.create(manifest, dryRun="All", fieldValidation="Strict")


@pytest.mark.parametrize(("kind", "path", "value", "field"), rows(INVALID))
def test_is_invalid_and_the_field_is_named(kube, kind, path, value, field):
    with pytest.raises(Refused) as refusal:
        try_to_create(kube, with_change(kind, path, value))
    named = [cause["field"] for cause in refusal.value.details.get("causes", [])]
    assert refusal.value.code == 422
    assert field.replace("container.", "spec.containers[0].") in named


@pytest.mark.parametrize(("kind", "path", "value"), rows(UNREADABLE))
def test_cannot_be_read(kube, kind, path, value):
    with pytest.raises(Refused) as refusal:
        try_to_create(kube, with_change(kind, path, value))
    assert refusal.value.code == 400


@pytest.mark.parametrize(("kind", "path", "value"), rows(TAKEN))
def test_is_taken(kube, kind, path, value):
    try_to_create(kube, with_change(kind, path, value))


@pytest.mark.parametrize("kind", GOOD)
def test_without_a_change_all_are_taken(kube, kind):
    try_to_create(kube, with_change(kind, "metadata.labels", {"a": "b"}))


@pytest.mark.parametrize(
    ("field", "said"), [(key, "nope") for key in ("serviceAccountName", "priorityClassName", "runtimeClassName")]
)
def test_a_pod_that_names_what_is_not_there_is_forbidden(kube, field, said):
    with pytest.raises(Refused, match=said) as refusal:
        try_to_create(kube, with_change("Pod", f"spec.{field}", "nope"))
    assert refusal.value.code == 403
