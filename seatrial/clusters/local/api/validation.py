"""What the API server refuses to store.

Source: k8s.io/kubernetes/pkg/apis/*/validation. Types and unknown fields are checked before (`decoding`). Required
fields and enumerations follow from the types; the rest is the rules that charts are known to break.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from seatrial.clusters.local.api import names
from seatrial.clusters.local.api.autoscaler_validation import autoscaler
from seatrial.clusters.local.api.bounds import not_negative, number_or_percent
from seatrial.clusters.local.api.errors import invalid
from seatrial.clusters.local.api.immutability import changes
from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.pod_validation import pod_spec
from seatrial.clusters.local.api.problems import Problem, not_supported, required, shown, wrong
from seatrial.clusters.local.api.quantity import value as amount
from seatrial.clusters.local.api.schema import Type, type_of_kind
from seatrial.clusters.local.api.selectors import matches_labels

Obj = dict[str, Any]

# May be empty although the types call them required.
_MAY_BE_EMPTY = {("HTTPHeader", "value"), ("Sysctl", "value"), ("EndpointSlice", "endpoints"), ("PolicyRule", "verbs")}
_KEYS_OF_TYPE = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
MAX_DATA_BYTES = 1024 * 1024  # of a Secret or ConfigMap


def check_metadata(kind: Kind, obj: Obj) -> None:
    """Raise StoreError Invalid unless name, labels and annotations are well-formed."""
    _raise(kind, obj, names.metadata(kind, obj.get("metadata") or {}))


def check_shape(kind: Kind, obj: Obj) -> None:
    """Raise StoreError Invalid unless all that is required is there, and enumerations are kept."""
    type_ = type_of_kind(kind)
    problems = [
        problem
        for key, child in type_.fields.items()
        if key not in ("metadata", "status") and key in obj
        for problem in _by_type(child, obj[key], key)
    ]
    problems += [required(key) for key in sorted(type_.required - {"metadata"}) if _missing(type_, obj, key)]
    _raise(kind, obj, problems)


def check_new(kind: Kind, obj: Obj) -> None:
    """Raise StoreError Invalid unless a new object of the right shape can be stored."""
    _raise(kind, obj, _rules(kind, obj))


def check_change(kind: Kind, new: Obj, stored: Obj, subresource: str | None) -> None:
    """Raise StoreError Invalid unless an object of the right shape can take the place of the stored one."""
    _raise(kind, new, [*_rules(kind, new), *changes(kind, new, stored, subresource)])


def _rules(kind: Kind, obj: Obj) -> Iterator[Problem]:
    rules = _RULES.get(kind.resource)
    return iter(()) if rules is None else rules(obj)


def _raise(kind: Kind, obj: Obj, problems: Iterator[Problem] | list[Problem]) -> None:
    found = list(problems)
    if found:
        raise invalid(kind.kind, kind.group, (obj.get("metadata") or {}).get("name", ""), found)


# Problems that are told of another field than the one with the wrong value.
_TOLD_OF = {"DeploymentStrategy.type": "{above}", "PersistentVolumeClaimSpec.accessModes": "{above}.accessModes"}


def _by_type(type_: Type, value: Any, path: str) -> Iterator[Problem]:
    if type_.shape == "struct" and isinstance(value, dict):
        for key in sorted(type_.required):
            if _missing(type_, value, key):
                yield required(f"{path}.{key}")
        for key, item in value.items():
            if key in type_.fields and key != "status":
                told_of = _TOLD_OF.get(f"{type_.name}.{key}")
                for reason, where, message in _by_type(type_.fields[key], item, f"{path}.{key}"):
                    yield (reason, told_of.format(above=path) if told_of else where, message)
    elif type_.shape == "list" and type_.element is not None and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _by_type(type_.element, item, f"{path}[{index}]")
    elif type_.shape == "map" and type_.element is not None and isinstance(value, dict):
        for key, item in value.items():
            yield from _by_type(type_.element, item, f"{path}[{key}]")
    elif type_.enum and value not in type_.enum:
        yield not_supported(path, value, type_.enum)


def _missing(type_: Type, value: Obj, key: str) -> bool:
    if (type_.name, key) in _MAY_BE_EMPTY:
        return False
    return value.get(key) in (None, "", [])


# -- rules of the kinds -------------------------------------------------------------------------------------------


def _workload(obj: Obj) -> Iterator[Problem]:
    yield from _always_on(obj)
    yield from pod_spec(obj["spec"]["template"]["spec"], "spec.template.spec")


def _always_on(obj: Obj) -> Iterator[Problem]:
    """What a StatefulSet is held to, too: its pods are validated when they are made, with the volumes of claims."""
    spec = obj["spec"]
    yield from not_negative(spec, ("replicas", "minReadySeconds", "revisionHistoryLimit"))
    selector, labels = spec.get("selector") or {}, spec["template"].get("metadata", {}).get("labels") or {}
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield wrong("spec.selector", selector, "empty selector is invalid for deployment")
    elif not matches_labels(selector, labels):
        yield wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from names.labels(labels, "spec.template.metadata.labels")
    restart = spec["template"]["spec"].get("restartPolicy", "Always")
    if restart != "Always":
        yield not_supported("spec.template.spec.restartPolicy", restart, ("Always",))
    if "activeDeadlineSeconds" in spec["template"]["spec"]:
        message = "Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported"
        yield ("FieldValueForbidden", "spec.template.spec.activeDeadlineSeconds", message)


def _deployment(obj: Obj) -> Iterator[Problem]:
    yield from _workload(obj)
    spec = obj["spec"]
    rolling = spec["strategy"].get("rollingUpdate")
    if spec["strategy"].get("type") == "Recreate" and rolling is not None:
        message = "may not be specified when strategy `type` is 'Recreate'"
        yield ("FieldValueForbidden", "spec.strategy.rollingUpdate", f"Forbidden: {message}")
    for field, most_percent in (("maxUnavailable", 100), ("maxSurge", None)):
        if rolling and rolling.get(field) is not None:
            path = f"spec.strategy.rollingUpdate.{field}"
            yield from number_or_percent(rolling[field], path, most_percent=most_percent)
    if rolling and _is_zero(rolling.get("maxUnavailable")) and _is_zero(rolling.get("maxSurge")):
        path = "spec.strategy.rollingUpdate.maxUnavailable"
        yield wrong(path, rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0")
    if spec["progressDeadlineSeconds"] <= spec.get("minReadySeconds", 0):
        yield wrong(
            "spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"], "must be greater than minReadySeconds"
        )


def _is_zero(value: Any) -> bool:
    return value in (0, "0", "0%")


def _job(obj: Obj) -> Iterator[Problem]:
    spec = obj["spec"]
    counts = ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
    yield from not_negative(spec, counts)
    selected = (spec.get("selector") or {}).get("matchLabels") or {}
    if not spec["manualSelector"] and set(selected) - {"batch.kubernetes.io/controller-uid"}:
        yield wrong("spec.selector", spec["selector"], "`selector` not auto-generated")
    yield from _job_template(spec["template"], "spec.template")


def _job_template(template: Obj, path: str) -> Iterator[Problem]:
    yield from names.labels(template.get("metadata", {}).get("labels") or {}, f"{path}.metadata.labels")
    restart = template["spec"].get("restartPolicy")
    if restart not in ("OnFailure", "Never"):
        yield required(f"{path}.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
    yield from pod_spec(template["spec"], f"{path}.spec")


def _cron_job(obj: Obj) -> Iterator[Problem]:
    yield from _job_template(obj["spec"]["jobTemplate"]["spec"]["template"], "spec.jobTemplate.spec.template")
    if len(obj["spec"]["schedule"].split()) != 5 and not obj["spec"]["schedule"].startswith("@"):
        yield wrong("spec.schedule", obj["spec"]["schedule"], "expected exactly 5 fields")


def _pod(obj: Obj) -> Iterator[Problem]:
    yield from pod_spec(obj["spec"], "spec")


def _service(obj: Obj) -> Iterator[Problem]:
    spec = obj["spec"]
    ports = spec.get("ports") or []
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        yield required("spec.externalName")
    seen: set[Any] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        yield from names.port_number(port["port"], f"{path}.port")
        if len(ports) > 1 and not port.get("name"):
            yield required(f"{path}.name")
        for key in (("name", port.get("name")), ("port", (port["port"], port["protocol"]))):
            if key[1] and key in seen:
                yield ("FieldValueDuplicate", path, f"Duplicate value: {shown(port)}")
            seen.add(key)
        yield from names.port_target(port.get("targetPort"), f"{path}.targetPort")
        if port.get("nodePort") and spec["type"] in ("ClusterIP", "ExternalName"):
            message = f"Forbidden: may not be used when `type` is '{spec['type']}'"
            yield ("FieldValueForbidden", f"{path}.nodePort", message)
    if spec.get("externalTrafficPolicy") and spec["type"] not in ("NodePort", "LoadBalancer"):
        why = "may only be set for externally-accessible services"
        yield wrong("spec.externalTrafficPolicy", spec["externalTrafficPolicy"], why)
    if spec.get("clusterIP") not in (None, "", "None") and not _is_address(spec["clusterIP"]):
        why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield wrong("spec.clusterIPs[0]", spec["clusterIP"], why)
    yield from names.labels(spec.get("selector") or {}, "spec.selector")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _config(obj: Obj) -> Iterator[Problem]:
    size = sum(len(value) for value in (obj.get("data") or {}).values())
    size += sum(len(value) for value in (obj.get("binaryData") or {}).values()) * 3 // 4
    yield from _size(obj, size)


def _secret(obj: Obj) -> Iterator[Problem]:
    yield from _size(obj, sum(len(value) * 3 // 4 for value in (obj.get("data") or {}).values()))
    for key in _KEYS_OF_TYPE.get(obj.get("type", ""), ()):
        if key not in (obj.get("data") or {}):
            yield required(f"data[{key}]")


def _size(obj: Obj, size: int) -> Iterator[Problem]:
    for key in [*(obj.get("data") or ()), *(obj.get("binaryData") or ())]:
        yield from names.config_key(key, f"data[{key}]")
    if size > MAX_DATA_BYTES:
        yield ("FieldValueTooLong", "data", f"Too long: may not be more than {MAX_DATA_BYTES} bytes")


def _budget(obj: Obj) -> Iterator[Problem]:
    spec = obj.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield wrong("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for field in ("minAvailable", "maxUnavailable"):
        if spec.get(field) is not None:
            yield from number_or_percent(spec[field], f"spec.{field}", most_percent=100)


def _claim(obj: Obj) -> Iterator[Problem]:
    spec = obj["spec"]
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield required("spec.resources[storage]")
    elif amount(str(spec["resources"]["requests"]["storage"])) <= 0:
        yield wrong("spec.resources[storage]", spec["resources"]["requests"]["storage"], "must be greater than zero")


_RULES: dict[str, Callable[[Obj], Iterator[Problem]]] = {
    "pods": _pod,
    "deployments": _deployment,
    "replicasets": _workload,
    "statefulsets": _always_on,
    "daemonsets": _workload,
    "jobs": _job,
    "cronjobs": _cron_job,
    "services": _service,
    "configmaps": _config,
    "secrets": _secret,
    "horizontalpodautoscalers": autoscaler,
    "poddisruptionbudgets": _budget,
    "persistentvolumeclaims": _claim,
}
