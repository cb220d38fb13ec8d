"""Objects that can be stored; a test changes the one thing it is about."""

import copy
from typing import Any

Manifest = dict[str, Any]


def config_map(name: str = "settings", **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def service(name: str = "web", **spec: Any) -> Manifest:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "name": "http"}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def pod_spec(*, container: Manifest | None = None, **spec: Any) -> Manifest:
    return {"containers": [{"name": "web", "image": "web:1", **(container or {})}], **spec}


def deployment(
    name: str = "web", *, container: Manifest | None = None, pod: Manifest | None = None, **spec: Any
) -> Manifest:
    """Of no replicas, so that no controller makes pods of it."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod_spec(container=container, **(pod or {}))}
    full = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": copy.deepcopy(full)}


def job(name: str = "migrate", **spec: Any) -> Manifest:
    template = {"spec": {**pod_spec(), "restartPolicy": "Never"}}
    full = {"parallelism": 0, "template": template, **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": full}


def autoscaler(name: str = "web", **spec: Any) -> Manifest:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    full = {"maxReplicas": 3, "scaleTargetRef": target, **spec}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": full}
