"""The objects of one dependency in a namespace: its server's pod, the gate before it, and how both are found. Pure.

The release asks the Service for the gate. Both Services are headless: a name leads to the pod itself, so that a gate
that does not listen refuses as a server would, with no proxy in between that accepts for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seatrial.contract import Brought
from seatrial.dependencies.base import DATA, FILES, Kind, Server
from seatrial.dependencies.gate_control import CONTROL_PORT

Manifest = dict[str, Any]

NAME_LABEL, PART_LABEL = "seatrial.dev/dependency", "seatrial.dev/part"
GATE, SERVER = "gate", "server"  # the parts, and the containers
PRIVILEGED_BELOW = 1024
_POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def gate_pod(name: str) -> str:
    """The name of the pod of a dependency's gate."""
    return f"{name}-gate"


def server_pod(name: str) -> str:
    """The name of the pod of the server itself, and of the Service by which the gate finds it."""
    return f"{name}-backend"


def objects_of(name: str, wanted: Brought, kind: Kind, server: Server, agent: str) -> list[Manifest]:
    """In the order in which they are to be made. `agent` is the image that has the gate."""
    service = wanted.service or name
    credentials = wanted.secret_data(kind.credentials(service, wanted.port))
    return [
        _secret(wanted.secret or name, credentials),
        _secret(server_pod(name), server.environment),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": server_pod(name)}, "data": dict(server.files)},
        _service(service, name, GATE, wanted.port),
        _service(server_pod(name), name, SERVER, kind.port),
        _pod(server_pod(name), name, SERVER, _server(server, kind.port, server_pod(name)), _volumes(server_pod(name))),
        _pod(gate_pod(name), name, GATE, _gate(name, wanted.port, kind, agent), _may_listen(wanted.port)),
    ]


def _secret(name: str, data: Mapping[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(data)}


def _service(name: str, dependency: str, part: str, port: int) -> Manifest:
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,  # a server that is not ready refuses; its name still leads somewhere
        "selector": {NAME_LABEL: dependency, PART_LABEL: part},
        "ports": [{"name": part, "port": port, "targetPort": port}],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _pod(name: str, dependency: str, part: str, container: Manifest, spec: Manifest) -> Manifest:
    labels = {NAME_LABEL: dependency, PART_LABEL: part}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, **spec},
    }


def _container(part: str, image: str, port: int, probed: int) -> Manifest:
    return {
        "name": part,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": [dict(_POD_IP)],
        "ports": [{"name": part, "containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": probed}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
    }


def _gate(name: str, port: int, kind: Kind, agent: str) -> Manifest:
    command = ["python", "-m", "seatrial.dependencies.gate_server"]
    command += ["--port", str(port), "--backend", f"{server_pod(name)}:{kind.port}"]
    command += ["--http"] if kind.speaks_http else []
    # Its control answers in every mode.
    return {**_container(GATE, agent, port, probed=CONTROL_PORT), "command": command}


def _may_listen(port: int) -> Manifest:
    """The agent's image is no root's."""
    if port >= PRIVILEGED_BELOW:
        return {}
    return {"securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]}}


def _server(server: Server, port: int, beside: str) -> Manifest:
    made = _container(SERVER, server.image, port, probed=port)
    made["env"] += [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": beside, "key": name}}} for name in server.environment
    ]
    made["volumeMounts"] = [
        {"name": "data", "mountPath": DATA},
        {"name": "files", "mountPath": FILES, "readOnly": True},
    ]
    if server.command:
        made["command"] = list(server.command)
    if server.args:
        made["args"] = list(server.args)
    if server.user is not None:
        made["securityContext"] = {"runAsUser": server.user}
    return made


def _volumes(beside: str) -> Manifest:
    return {"volumes": [{"name": "data", "emptyDir": {}}, {"name": "files", "configMap": {"name": beside}}]}
