"""What the API server refuses in a HorizontalPodAutoscaler.

Source: k8s.io/kubernetes/pkg/apis/autoscaling/validation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seatrial.clusters.local.api.problems import Problem, not_supported, required, wrong

Obj = dict[str, Any]

MAX_WINDOW_S = 3600
MAX_PERIOD_S = 1800
_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}


def autoscaler(obj: Obj) -> Iterator[Problem]:
    """The problems of one autoscaler."""
    spec = obj["spec"]
    if spec["minReplicas"] < 1:
        yield wrong("spec.minReplicas", spec["minReplicas"], "must be greater than or equal to 1")
    if spec["maxReplicas"] < 1:
        yield wrong("spec.maxReplicas", spec["maxReplicas"], "must be greater than 0")
    if spec["maxReplicas"] < spec["minReplicas"]:
        yield wrong("spec.maxReplicas", spec["maxReplicas"], "must be greater than or equal to `minReplicas`")
    target = spec["scaleTargetRef"]
    if "/" not in target.get("apiVersion", "") and target["kind"] != "ReplicationController":
        path = "spec.scaleTargetRef.apiVersion"
        yield wrong(path, target.get("apiVersion", ""), "apiVersion must specify API group")
    for index, metric in enumerate(spec.get("metrics") or ()):
        yield from _metric(metric, f"spec.metrics[{index}]")
    for direction, rules in (spec.get("behavior") or {}).items():
        yield from _direction(rules or {}, f"spec.behavior.{direction}")


def _metric(metric: Obj, path: str) -> Iterator[Problem]:
    type_ = metric["type"]
    if type_ not in _SOURCES:
        yield not_supported(f"{path}.type", type_, _SOURCES)
        return
    source = metric.get(_SOURCES[type_])
    if source is None:
        yield required(f"{path}.{_SOURCES[type_]}", "must populate information for the given metric source")
        return
    target = source["target"]
    if type_ in ("Resource", "ContainerResource"):
        if target.get("averageUtilization") is None and target.get("averageValue") is None:
            why = "must set either a target raw value or a target utilization"
            yield required(f"{path}.{_SOURCES[type_]}.target.averageUtilization", why)
        elif target.get("averageUtilization", 1) < 1:
            where = f"{path}.{_SOURCES[type_]}.target.averageUtilization"
            yield wrong(where, target["averageUtilization"], "must be greater than 0")
    elif target.get("averageValue") is None and (type_ == "Pods" or target.get("value") is None):
        why = "must specify a positive target averageValue" if type_ == "Pods" else "must set either a target value"
        yield required(f"{path}.{_SOURCES[type_]}.target.averageValue", why)


def _direction(rules: Obj, path: str) -> Iterator[Problem]:
    window_s = rules.get("stabilizationWindowSeconds")
    if window_s is not None and window_s < 0:
        yield wrong(f"{path}.stabilizationWindowSeconds", window_s, "must be greater than or equal to zero")
    if window_s is not None and window_s > MAX_WINDOW_S:
        yield wrong(f"{path}.stabilizationWindowSeconds", window_s, f"must be less than or equal to {MAX_WINDOW_S}")
    if not rules.get("policies"):
        yield required(f"{path}.policies", "must specify at least one Policy")
    for index, policy in enumerate(rules.get("policies") or ()):
        here = f"{path}.policies[{index}]"
        if policy["value"] <= 0:
            yield wrong(f"{here}.value", policy["value"], "must be greater than zero")
        if policy["periodSeconds"] <= 0:
            yield wrong(f"{here}.periodSeconds", policy["periodSeconds"], "must be greater than zero")
        if policy["periodSeconds"] > MAX_PERIOD_S:
            why = f"must be less than or equal to {MAX_PERIOD_S}"
            yield wrong(f"{here}.periodSeconds", policy["periodSeconds"], why)
