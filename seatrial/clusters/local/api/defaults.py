"""What the API server fills in when a client leaves it out.

Source: k8s.io/kubernetes/pkg/apis/*/v1/defaults.go. Structs that are no pointers in Go appear even if empty;
those follow from the types.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.pod_defaults import pod, pod_spec, template
from seatrial.clusters.local.api.schema import Type, type_of_kind

Obj = dict[str, Any]

INT32_MAX = 2**31 - 1


def complete(kind: Kind, obj: Obj) -> None:
    """Fill in an object in place."""
    fill = _FILL.get(kind.resource)
    spec = obj.get("spec")
    if kind.resource in _WITH_SPEC and not isinstance(spec, dict):
        obj["spec"] = {}
    if fill is not None:
        fill(obj)
    _structs(type_of_kind(kind), obj)


def _structs(type_: Type, value: Any) -> None:
    """Add the empty structs that Go would write."""
    if value is None:
        return
    if type_.shape == "struct":
        for key, child in type_.fields.items():
            if child.shape == "struct" and child.is_value and key not in value and key != "metadata":
                value[key] = {}
            if key in value and child.shape != "scalar":
                _structs(child, value[key])
    elif type_.element is not None and type_.element.shape not in ("scalar", "any"):
        for item in value if type_.shape == "list" else value.values():
            _structs(type_.element, item)


def _put(obj: Obj, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        obj.setdefault(key, value)


def _deployment(obj: Obj) -> None:
    spec = obj["spec"]
    _put(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _put(strategy.setdefault("rollingUpdate", {}), {"maxUnavailable": "25%", "maxSurge": "25%"})
    template(spec)


def _replica_set(obj: Obj) -> None:
    spec = obj["spec"]
    spec.setdefault("replicas", 1)
    template(spec)
    obj.setdefault("status", {}).setdefault("replicas", 0)


def _stateful_set(obj: Obj) -> None:
    spec = obj["spec"]
    _put(spec, {"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"})
    _put(spec.setdefault("persistentVolumeClaimRetentionPolicy", {}), {"whenDeleted": "Retain", "whenScaled": "Retain"})
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    template(spec)
    for claim in spec.get("volumeClaimTemplates") or ():
        _put(claim, {"apiVersion": "v1", "kind": "PersistentVolumeClaim"})
        claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
        claim.setdefault("status", {}).setdefault("phase", "Pending")
    _put(obj.setdefault("status", {}), {"replicas": 0, "availableReplicas": 0})


def _daemon_set(obj: Obj) -> None:
    spec = obj["spec"]
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _put(strategy.setdefault("rollingUpdate", {}), {"maxUnavailable": 1, "maxSurge": 0})
    template(spec)
    counts = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    _put(obj.setdefault("status", {}), dict.fromkeys(counts, 0))


def _job(obj: Obj) -> None:
    spec = obj["spec"]
    job_spec(spec)
    spec.setdefault("manualSelector", False)
    labels = spec["template"]["metadata"].get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


def job_spec(spec: Obj) -> None:
    """A Job's spec, also in a CronJob."""
    if "completions" not in spec and "parallelism" not in spec:
        spec.update(completions=1, parallelism=1)
    spec.setdefault("parallelism", 1)
    per_index = "backoffLimitPerIndex" in spec
    replacement = "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed"
    _put(
        spec,
        {
            "backoffLimit": INT32_MAX if per_index else 6,
            "suspend": False,
            "completionMode": "NonIndexed",
            "podReplacementPolicy": replacement,
        },
    )
    template(spec, restart_policy=None)


def _cron_job(obj: Obj) -> None:
    spec = obj["spec"]
    limits = {"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1}
    _put(spec, {"concurrencyPolicy": "Allow", "suspend": False, **limits})
    inner = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
    inner.setdefault("template", {}).setdefault("metadata", {})
    spec["jobTemplate"].setdefault("metadata", {})
    pod_spec(inner["template"].setdefault("spec", {}), restart_policy=None)


def _service(obj: Obj) -> None:
    spec = obj["spec"]
    _put(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {}).setdefault("timeoutSeconds", 10800)
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, 0, "") and "port" in port and spec.get("clusterIP") != "":
            port["targetPort"] = port["port"]


def _secret(obj: Obj) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None) or {}
    if plain:
        data = obj.setdefault("data", {})
        data.update({key: base64.b64encode(text.encode()).decode() for key, text in plain.items()})


def _claim(obj: Obj) -> None:
    obj["spec"].setdefault("volumeMode", "Filesystem")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _volume(obj: Obj) -> None:
    spec = obj["spec"]
    _put(spec, {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"})
    if "hostPath" in spec:
        spec["hostPath"].setdefault("type", "")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _autoscaler(obj: Obj) -> None:
    spec = obj["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
        pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
        up, down = behavior.setdefault("scaleUp", {}), behavior.setdefault("scaleDown", {})
        _put(up, {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [pods, dict(percent)]})
        _put(down, {"selectPolicy": "Max", "policies": [percent]})
    _put(obj.setdefault("status", {}), {"desiredReplicas": 0, "currentMetrics": None})


def _budget(obj: Obj) -> None:
    counts = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    _put(obj.setdefault("status", {}), dict.fromkeys(counts, 0))


def _network_policy(obj: Obj) -> None:
    spec = obj["spec"]
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _endpoint_slice(obj: Obj) -> None:
    for port in obj.get("ports") or ():
        _put(port, {"name": "", "protocol": "TCP"})


def _endpoints(obj: Obj) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _binding(obj: Obj) -> None:
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")
    if "roleRef" in obj:
        obj["roleRef"].setdefault("apiGroup", "rbac.authorization.k8s.io")


def _namespace(obj: Obj) -> None:
    obj["spec"].setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {}).setdefault("phase", "Active")
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]


def _event(obj: Obj) -> None:
    _put(obj, {"reportingComponent": "", "reportingInstance": ""})
    _put(obj, {"eventTime": None, "firstTimestamp": None, "lastTimestamp": None})


def _storage_class(obj: Obj) -> None:
    _put(obj, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})


def _priority_class(obj: Obj) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


_FILL: dict[str, Callable[[Obj], None]] = {
    "pods": pod,
    "deployments": _deployment,
    "replicasets": _replica_set,
    "statefulsets": _stateful_set,
    "daemonsets": _daemon_set,
    "jobs": _job,
    "cronjobs": _cron_job,
    "services": _service,
    "secrets": _secret,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "horizontalpodautoscalers": _autoscaler,
    "poddisruptionbudgets": _budget,
    "networkpolicies": _network_policy,
    "endpointslices": _endpoint_slice,
    "endpoints": _endpoints,
    "rolebindings": _binding,
    "clusterrolebindings": _binding,
    "namespaces": _namespace,
    "events": _event,
    "storageclasses": _storage_class,
    "priorityclasses": _priority_class,
}
_WITH_SPEC = {
    "pods", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "services",
    "persistentvolumeclaims", "persistentvolumes", "horizontalpodautoscalers", "networkpolicies", "namespaces",
}  # fmt: skip
