"""What the API server fills in for pods and their templates.

Source: k8s.io/kubernetes/pkg/apis/core/v1/defaults.go.
"""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]

_VOLUME_SOURCES = ("configMap", "secret", "projected", "downwardAPI")


def template(spec: Obj, restart_policy: str | None = "Always") -> None:
    """The pod template in the spec of a workload; None leaves the restart policy to the client."""
    found = spec.setdefault("template", {})
    found.setdefault("metadata", {})
    pod_spec(found.setdefault("spec", {}), restart_policy)


def pod(obj: Obj) -> None:
    """A Pod itself, which gets more than a template does."""
    spec = obj["spec"]
    pod_spec(spec, "Always")
    spec.setdefault("enableServiceLinks", True)
    for container in _containers(spec):
        resources = container.get("resources") or {}
        if resources.get("limits"):
            requests = resources.setdefault("requests", {})
            for name, amount in resources["limits"].items():
                requests.setdefault(name, amount)
    status = obj.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", qos_class(spec))


def pod_spec(spec: Obj, restart_policy: str | None) -> None:
    """A pod's spec wherever it is."""
    spec.setdefault("dnsPolicy", "ClusterFirst")
    if restart_policy is not None:
        spec.setdefault("restartPolicy", restart_policy)
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for volume in spec.get("volumes") or ():
        _volume(volume)
    for container in _containers(spec):
        _container(container)
        if spec.get("hostNetwork"):
            for port in container.get("ports") or ():
                if "containerPort" in port:
                    port.setdefault("hostPort", port["containerPort"])


def qos_class(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort. Source: k8s.io/kubernetes/pkg/apis/core/helper/qos."""
    names = ("cpu", "memory")
    resources = [container.get("resources") or {} for container in _containers(spec)]
    limits = [found.get("limits") or {} for found in resources]
    requests = [found.get("requests") or {} for found in resources]
    if not any(found.get(name) not in (None, "0") for found in limits + requests for name in names):
        return "BestEffort"
    equal = all(
        limit.get(name) is not None and request.get(name, limit[name]) == limit[name]
        for limit, request in zip(limits, requests, strict=True)
        for name in names
    )
    return "Guaranteed" if equal else "Burstable"


def _containers(spec: Obj) -> list[Obj]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _container(container: Obj) -> None:
    container.setdefault("imagePullPolicy", _pull_policy(container.get("image", "")))
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        _field_ref(variable.get("valueFrom") or {})
        if variable.get("value") == "":
            del variable["value"]
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _probe(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict) and "httpGet" in hook:
            _http_get(hook["httpGet"])


def _pull_policy(image: str) -> str:
    last = image.rpartition("/")[2]
    if "@" in last:
        return "IfNotPresent"
    _, colon, tag = last.partition(":")
    return "IfNotPresent" if colon and tag != "latest" else "Always"


def _probe(probe: Obj) -> None:
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        # Zero is what Go cannot tell from "not given".
        if not probe.get(name):
            probe[name] = value
    if "httpGet" in probe:
        _http_get(probe["httpGet"])
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _http_get(action: Obj) -> None:
    action.setdefault("path", "/")
    action.setdefault("scheme", "HTTP")


def _volume(volume: Obj) -> None:
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    for source in _VOLUME_SOURCES:
        if source in volume:
            volume[source].setdefault("defaultMode", 0o644)
    for item in (volume.get("downwardAPI") or {}).get("items") or ():
        _field_ref(item)
    for projection in (volume.get("projected") or {}).get("sources") or ():
        if "serviceAccountToken" in projection:
            projection["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        for item in (projection.get("downwardAPI") or {}).get("items") or ():
            _field_ref(item)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    if "ephemeral" in volume:
        claim = volume["ephemeral"].get("volumeClaimTemplate") or {}
        claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def _field_ref(source: Obj) -> None:
    if "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")
    if "resourceFieldRef" in source:
        source["resourceFieldRef"].setdefault("divisor", "0")
