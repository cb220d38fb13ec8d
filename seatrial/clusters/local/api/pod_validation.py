"""What the API server refuses in a pod's spec.

Source: k8s.io/kubernetes/pkg/apis/core/validation, ValidatePodSpec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from seatrial.clusters.local.api import names
from seatrial.clusters.local.api.problems import Problem, duplicate, required, wrong
from seatrial.clusters.local.api.quantity import value as amount

Obj = dict[str, Any]

_ENV_NAME = r"[^=]+"
INT32_MAX = 2**31 - 1
# Of the downward API, as environment. Source: k8s.io/kubernetes/pkg/apis/core/pods/helpers.go.
_FIELDS = {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"} | {
    f"status.{field}" for field in ("hostIP", "hostIPs", "podIP", "podIPs")
}
_KEYED_FIELDS = ("metadata.labels", "metadata.annotations")
_RESOURCES = ("cpu", "memory", "ephemeral-storage")
# Of two volume sources the first of these counts, the other is one too many.
_SOURCES = (
    "emptyDir", "hostPath", "secret", "nfs", "persistentVolumeClaim", "downwardAPI", "configMap", "projected", "csi",
    "ephemeral",
)  # fmt: skip
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")


def pod_spec(spec: Obj, path: str) -> Iterator[Problem]:
    """The problems of one spec."""
    volumes = [volume["name"] for volume in spec.get("volumes") or ()]
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from names.dns_label(volume["name"], f"{path}.volumes[{index}].name")
        if volume["name"] in volumes[:index]:
            yield duplicate(f"{path}.volumes[{index}].name", volume["name"])
        # The first of these in the type is the one that counts.
        sources = sorted(set(volume) - {"name"}, key=_source_order)
        for extra in sources[1:]:
            message = "Forbidden: may not specify more than 1 volume type"
            yield ("FieldValueForbidden", f"{path}.volumes[{index}].{extra}", message)
        for source, field in (("configMap", "name"), ("secret", "secretName")):
            if source in volume and not (volume[source] or {}).get(field):
                yield required(f"{path}.volumes[{index}].{source}.{field}")
    yield from _pod_fields(spec, path)
    seen: set[str] = set()
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            here = f"{path}.{field}[{index}]"
            if container["name"] in seen:
                yield duplicate(f"{here}.name", container["name"])
            seen.add(container["name"])
            yield from _container(container, here, set(volumes), spec.get("terminationGracePeriodSeconds", 30))
            if field == "initContainers" and container.get("restartPolicy") != "Always":
                yield from _no_probes(container, here)
    yield from _same_port_twice(spec, path)


def _source_order(source: str) -> tuple[int, str]:
    return (_SOURCES.index(source) if source in _SOURCES else len(_SOURCES), source)


def _pod_fields(spec: Obj, path: str) -> Iterator[Problem]:
    deadline_s = spec.get("activeDeadlineSeconds")
    if deadline_s is not None and not 1 <= deadline_s <= INT32_MAX:
        yield wrong(f"{path}.activeDeadlineSeconds", deadline_s, f"must be between 1 and {INT32_MAX}, inclusive")
    yield from names.labels(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            yield from names.dns_label(spec[field], f"{path}.{field}")
    yield from _security(spec.get("securityContext") or {}, f"{path}.securityContext")


def _security(context: Obj, path: str) -> Iterator[Problem]:
    for field in ("runAsUser", "runAsGroup", "fsGroup"):
        if not 0 <= context.get(field, 0) <= INT32_MAX:
            yield wrong(f"{path}.{field}", context[field], f"must be between 0 and {INT32_MAX}, inclusive")
    if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
        yield wrong(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")


def _sleep(action: Obj, path: str, grace_s: int) -> Iterator[Problem]:
    if "sleep" in action and not 0 <= action["sleep"]["seconds"] <= grace_s:
        why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})"
        yield wrong(path, action["sleep"]["seconds"], why)


def _container(container: Obj, path: str, volumes: set[str], grace_s: int) -> Iterator[Problem]:
    yield from names.dns_label(container["name"], f"{path}.name")
    if not container.get("image"):
        yield required(f"{path}.image")
    port_names: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        here = f"{path}.ports[{index}]"
        yield from names.port_number(port["containerPort"], f"{here}.containerPort")
        if port.get("name"):
            yield from names.port_name(port["name"], f"{here}.name")
            if port["name"] in port_names:
                yield duplicate(f"{here}.name", port["name"])
            port_names.add(port["name"])
    for index, variable in enumerate(container.get("env") or ()):
        yield from _variable(variable, f"{path}.env[{index}]")
    mounted: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        here = f"{path}.volumeMounts[{index}]"
        if mount["name"] not in volumes:
            yield ("FieldValueNotFound", f"{here}.name", f'Not found: "{mount["name"]}"')
        if mount["mountPath"] in mounted:
            yield wrong(f"{here}.mountPath", mount["mountPath"], "must be unique")
        mounted.add(mount["mountPath"])
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            yield from _probe(container[name], f"{path}.{name}", name != "readinessProbe")
    for hook, action in (container.get("lifecycle") or {}).items():
        if isinstance(action, dict):
            yield from _handler(action, f"{path}.lifecycle.{hook}", (*_HANDLERS[:3], "sleep"))
            yield from _sleep(action, f"{path}.lifecycle.{hook}.sleep", grace_s)
    yield from _security(container.get("securityContext") or {}, f"{path}.securityContext")
    yield from _resources(container.get("resources") or {}, f"{path}.resources")


def _variable(variable: Obj, path: str) -> Iterator[Problem]:
    if not re.fullmatch(_ENV_NAME, variable["name"]):
        yield wrong(f"{path}.name", variable["name"], "a valid environment variable name must not contain '='")
    sources = variable.get("valueFrom")
    if sources is None:
        return
    if variable.get("value"):
        yield wrong(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
    elif "fieldRef" in sources and not _is_field(sources["fieldRef"]["fieldPath"]):
        known = sources["fieldRef"]["fieldPath"]
        yield wrong(
            f"{path}.valueFrom.fieldRef.fieldPath",
            known,
            f"error converting fieldPath: field label not supported: {known}",
        )
    elif len(sources) != 1:
        why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield wrong(
            f"{path}.valueFrom", "", why if not sources else "may not have more than one field specified at a time"
        )


def _is_field(field_path: str) -> bool:
    name, bracket, _ = field_path.partition("['")
    return name in (_KEYED_FIELDS if bracket else _FIELDS)


def _probe(probe: Obj, path: str, once: bool) -> Iterator[Problem]:
    yield from _handler(probe, path, _HANDLERS)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        if probe.get(field, 0) < 0:
            yield wrong(f"{path}.{field}", probe[field], "must be greater than or equal to 0")
    grace = probe.get("terminationGracePeriodSeconds")
    if not once and grace is not None:
        yield wrong(f"{path}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")
    if once and grace is not None and grace <= 0:
        yield wrong(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")
    if once and probe.get("successThreshold", 1) != 1:
        yield wrong(f"{path}.successThreshold", probe["successThreshold"], "must be 1")


def _handler(action: Obj, path: str, known: tuple[str, ...]) -> Iterator[Problem]:
    chosen = [name for name in known if name in action]
    if not chosen:
        yield required(path, "must specify a handler type")
    for extra in chosen[1:]:
        message = "Forbidden: may not specify more than 1 handler type"
        yield ("FieldValueForbidden", f"{path}.{extra}", message)
    for name in chosen:
        if name in ("httpGet", "tcpSocket", "grpc"):
            yield from names.port_target(action[name].get("port"), f"{path}.{name}.port")
        if name == "exec" and not action[name].get("command"):
            yield required(f"{path}.exec.command")


def _no_probes(container: Obj, path: str) -> Iterator[Problem]:
    for name in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
        if name in container:
            message = "Forbidden: may not be set for init containers without restartPolicy=Always"
            yield ("FieldValueForbidden", f"{path}.{name}", message)


def _resources(resources: Obj, path: str) -> Iterator[Problem]:
    limits = resources.get("limits") or {}
    for field in ("limits", "requests"):
        for name, text in (resources.get(field) or {}).items():
            if "/" not in name and name not in _RESOURCES and not name.startswith("hugepages-"):
                yield wrong(f"{path}.{field}[{name}]", name, "must be a standard resource for containers")
            if amount(str(text)) < 0:
                yield wrong(f"{path}.{field}[{name}]", text, "must be greater than or equal to 0")
    for name, text in (resources.get("requests") or {}).items():
        if name in limits and amount(str(text)) > amount(str(limits[name])):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            yield wrong(f"{path}.requests", text, why)


def _same_port_twice(spec: Obj, path: str) -> Iterator[Problem]:
    taken: set[tuple[Any, ...]] = set()
    for index, container in enumerate(spec.get("containers") or ()):
        for at, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            key = (port["hostPort"], port["protocol"], port.get("hostIP", ""))
            if key in taken:
                yield duplicate(f"{path}.containers[{index}].ports[{at}].hostPort", port["hostPort"])
            taken.add(key)
