"""The environment, command and arguments of a container. Pure: what it refers to is looked up by a function.

Source: kubernetes.io/docs/concepts/workloads/pods/ (downward API, environment variables) and the kubelet's
makeEnvironmentVariables: image, Service variables, envFrom, env, each overriding the ones before.
"""

import base64
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from seatrial.clusters.local.controllers.quantity import milli

Obj = dict[str, Any]
Find = Callable[[str, str], Obj | None]  # resource and name in the pod's namespace

_REFERENCE = re.compile(r"\$(\$|\(([^()]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")


class ConfigError(Exception):
    """The pod refers to something that is not there; its container cannot be created yet."""


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace $(NAME); an unknown name stays as it is, and $$(NAME) is an escaped $(NAME)."""

    def replaced(match: re.Match[str]) -> str:
        if match.group(1) == "$":
            return "$"
        return env.get(match.group(2), match.group(0))

    return _REFERENCE.sub(replaced, text)


def container_env(
    container: Obj, pod: Obj, find: Find, *, image: Mapping[str, str], services: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment; `services` are the variables that Services give. Raises ConfigError."""
    env = dict(services)
    for source in container.get("envFrom") or ():
        env |= _from_source(source, find)
    for entry in container.get("env") or ():
        value = _value(entry, container, pod, find, env)
        if value is not None:
            env[entry["name"]] = value
    return {**image, **env}


def _from_source(source: Obj, find: Find) -> dict[str, str]:
    prefix = source.get("prefix", "")
    for field, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
        reference = source.get(field)
        if reference is None:
            continue
        found = find(resource, reference["name"])
        if found is None:
            if reference.get("optional"):
                return {}
            raise ConfigError(f'{resource[:-1]} "{reference["name"]}" not found')
        return {prefix + key: value.decode(errors="replace") for key, value in data_of(found).items()}
    return {}


def data_of(obj: Obj) -> dict[str, bytes]:
    """The entries of a ConfigMap or Secret."""
    if obj["kind"] == "Secret":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    texts = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    return texts | {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}


def _value(entry: Obj, container: Obj, pod: Obj, find: Find, env: Mapping[str, str]) -> str | None:
    source = entry.get("valueFrom")
    if source is None:
        return expand(entry.get("value", ""), env)
    if "fieldRef" in source:
        return field_value(source["fieldRef"]["fieldPath"], pod)
    if "resourceFieldRef" in source:
        return resource_value(source["resourceFieldRef"], container, pod)
    for field, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if field in source:
            return _key_value(source[field], resource, pod, find)
    raise ConfigError(f"env {entry['name']}: the local cluster knows no valueFrom of kind {', '.join(source)}")


def _key_value(reference: Obj, resource: str, pod: Obj, find: Find) -> str | None:
    found = find(resource, reference["name"])
    value = data_of(found).get(reference["key"]) if found else None
    if value is not None:
        return value.decode(errors="replace")
    if reference.get("optional"):
        return None
    if found is None:
        raise ConfigError(f'{resource[:-1]} "{reference["name"]}" not found')
    kind, namespace = found["kind"], pod["metadata"]["namespace"]
    raise ConfigError(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}")


def field_value(path: str, pod: Obj) -> str:
    """A field of the pod by its downward API path; raises ConfigError for an unsupported one."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    if match := _SUBSCRIPT.fullmatch(path):
        return str((metadata.get(match.group(1)) or {}).get(match.group(2), ""))
    fields: dict[str, Any] = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "metadata.labels": _lines(metadata.get("labels")),
        "metadata.annotations": _lines(metadata.get("annotations")),
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.hostIP": status.get("hostIP", ""),
        "status.hostIPs": status.get("hostIP", ""),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": status.get("podIP", ""),
    }
    if path not in fields:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return str(fields[path])


def _lines(values: Mapping[str, str] | None) -> str:
    return "\n".join(f'{key}="{value}"' for key, value in sorted((values or {}).items()))


def resource_value(reference: Obj, container: Obj, pod: Obj) -> str:
    """A request or limit in units of its divisor, rounded up; 0 where the container has none."""
    name = reference.get("containerName")
    if name:
        everyone = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
        container = next((other for other in everyone if other["name"] == name), container)
    kind, _, resource = reference["resource"].partition(".")
    amounts = (container.get("resources") or {}).get(kind) or {}
    divisor = milli(reference.get("divisor") or "1") or 1000
    return str(math.ceil(milli(amounts.get(resource, "0")) / divisor))


def service_variables(services: Iterable[Obj], pod: Obj, api_server: tuple[str, int] | None) -> dict[str, str]:
    """NAME_SERVICE_HOST and its kin for the Services of the pod's namespace, and where the API server is."""
    env: dict[str, str] = {}
    if pod["spec"].get("enableServiceLinks", True):
        for service in services:
            if service["metadata"]["namespace"] == pod["metadata"]["namespace"]:
                env |= _links(service)
    if api_server is not None:
        host, port = api_server
        env |= {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
        env |= {"KUBERNETES_SERVICE_PORT_HTTPS": str(port), "KUBERNETES_PORT": f"tcp://{host}:{port}"}
    return env


def _links(service: Obj) -> dict[str, str]:
    address = service["spec"].get("clusterIP")
    ports = service["spec"].get("ports") or []
    if not address or address == "None" or not ports:
        return {}
    name = service["metadata"]["name"].upper().replace("-", "_")
    first = ports[0]
    env = {f"{name}_SERVICE_HOST": address, f"{name}_SERVICE_PORT": str(first["port"])}
    env[f"{name}_PORT"] = f"{first.get('protocol', 'TCP').lower()}://{address}:{first['port']}"
    for port in ports:
        number, protocol = str(port["port"]), port.get("protocol", "TCP")
        if port.get("name"):
            env[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = number
        prefix = f"{name}_PORT_{number}_{protocol}"
        env[prefix] = f"{protocol.lower()}://{address}:{number}"
        env |= {f"{prefix}_PROTO": protocol.lower(), f"{prefix}_PORT": number, f"{prefix}_ADDR": address}
    return env


def command_line(container: Obj, entrypoint: tuple[str, ...], env: Mapping[str, str]) -> list[str]:
    """The argv: `command` replaces the image's entrypoint, `args` follow. Empty when there is none."""
    command = container.get("command")
    words = list(entrypoint) if not command else [expand(word, env) for word in command]
    return words + [expand(word, env) for word in container.get("args") or ()]
