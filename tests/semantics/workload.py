"""Containers that say what happens to them.

Each runs a few lines of Python in the public Python image. Whatever it learns (a probe, a signal) it sends,
with the time, to one witness pod, whose log outlives it.
"""

import json
from dataclasses import dataclass
from typing import Any

from semantics.kube import Kube, Manifest

IMAGE = "python:3.11-slim-bookworm"
WITNESS_PORT = 9999
PORT = 8080

PRELUDE = """
import http.server, json, os, signal, socket, sys, threading, time

def tell(event, **more):
    said = {"at": time.time(), "pod": os.environ["POD_NAME"], "namespace": os.environ["POD_NAMESPACE"],
            "container": os.environ.get("CONTAINER", ""), "event": event, **more}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(json.dumps(said).encode(), (os.environ["WITNESS"], 9999))

def on_sigterm(code=0, after_s=0.0):
    # Exit with that code so long after SIGTERM; None: never.
    def handle(*_):
        tell("sigterm")
        if code is not None:
            threading.Thread(target=lambda: (time.sleep(after_s), tell("exiting"), os._exit(code))).start()
    signal.signal(signal.SIGTERM, handle)

def answers(script):
    # "200", or in turn: "503x4 200"; the last goes on for ever.
    *some, last = script.split()
    for part in some:
        status, _, times = part.partition("x")
        for _ in range(int(times or 1)):
            yield status
    while True:
        yield last

def serve(**scripts):
    # Answers /NAME by the script of that name: a status, "hang" (3 s, then 200), "away" (a redirect to
    # another host), "around" (a redirect to /other).
    scripts = {name: answers(script) for name, script in scripts.items()}
    turn = threading.Lock()
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.strip("/")
            with turn:
                status = next(scripts.get(name, iter(["404"])))
                tell("request", path=name, status=status, agent=self.headers["User-Agent"], port=self.client_address[1],
                     host=self.headers["Host"])
            if status == "hang":
                time.sleep(3)
            self.send_response({"hang": 200, "away": 302, "around": 302}.get(status) or int(status))
            if status in ("away", "around"):
                self.send_header("Location", "http://192.0.2.1/" if status == "away" else "/other")
            self.send_header("Content-Length", "0")
            self.end_headers()
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Handler)
    tell("listening")
    server.serve_forever()

def burn(millicores):
    while True:
        begun = time.process_time()
        slept = time.monotonic()
        while time.process_time() - begun < millicores / 10000:
            pass
        time.sleep(max(0, 0.1 - (time.monotonic() - slept)))

tell("started")
"""

WITNESS = f"""
import os, socket
ears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ears.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
ears.bind((os.environ["POD_IP"], {WITNESS_PORT}))
print("listening", flush=True)
while True:
    print(ears.recv(65536).decode(), flush=True)
"""


def field_env(**fields: str) -> list[Manifest]:
    return [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]


IDENTITY = field_env(POD_IP="status.podIP", POD_NAME="metadata.name", POD_NAMESPACE="metadata.namespace")


@dataclass(frozen=True)
class Said:
    """One message of a container."""

    at: float
    pod: str
    container: str
    event: str
    more: dict[str, Any]


@dataclass(frozen=True)
class Witness:
    """The pod that containers report to."""

    kube: Kube
    ip: str

    def heard(self, namespace: str, pod: str, event: str = "") -> list[Said]:
        """What the containers of a pod said, in order of time."""
        lines = [line for line in self.kube.log("witness").splitlines() if line.startswith("{") and namespace in line]
        said = [json.loads(line) for line in lines]
        mine = [one for one in said if (one["namespace"], one["pod"]) == (namespace, pod)]
        fields = ("at", "pod", "container", "event")
        messages = [Said(*(one[name] for name in fields), more=one) for one in mine if event in ("", one["event"])]
        return sorted(messages, key=lambda message: message.at)

    def container(self, code: str, *, name: str = "main", env: list[Manifest] | None = None, **more: Any) -> Manifest:
        """A container that runs `code` after PRELUDE."""
        told = [{"name": "WITNESS", "value": self.ip}, {"name": "CONTAINER", "value": name}]
        return {
            "name": name,
            "image": IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "command": ["python3", "-u", "-c", PRELUDE + code],
            "env": [*IDENTITY, *told, *(env or [])],
            **more,
        }

    def pod(
        self, name: str, code: str, *, spec: Manifest | None = None, labels: Manifest | None = None, **more: Any
    ) -> Manifest:
        """A pod of one such container; `spec` is of the pod, `more` of the container."""
        return {
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"containers": [self.container(code, **more)], "terminationGracePeriodSeconds": 2, **(spec or {})},
        }

    def deployment(
        self,
        name: str,
        code: str,
        *,
        replicas: int | None = 1,
        pod: Manifest | None = None,
        spec: Manifest | None = None,
        **more: Any,
    ) -> Manifest:
        """A Deployment of such pods; `pod` is of the pod's spec, `spec` of the Deployment's."""
        template = self.pod(name, code, spec=pod, **more)
        return {
            "kind": "Deployment",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                **({} if replicas is None else {"replicas": replicas}),
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": template["spec"]},
                **(spec or {}),
            },
        }

    def stateful_set(self, name: str, code: str, *, replicas: int, spec: Manifest, **more: Any) -> Manifest:
        """A StatefulSet of such pods below the Service of its name; `spec` is of the StatefulSet."""
        made = self.deployment(name, code, replicas=replicas, spec={"serviceName": name, **spec}, **more)
        return {**made, "kind": "StatefulSet"}


def service(name: str, *, app: str | None = None, **spec: Any) -> Manifest:
    ports = [{"name": "http", "port": 80, "targetPort": PORT}]
    return {
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app or name}, "ports": ports, **spec},
    }


def probe(path: str, **timing: int) -> Manifest:
    """An HTTP probe every second, unless `timing` says otherwise; patient, for the machine may be busy."""
    return {"httpGet": {"path": f"/{path}", "port": PORT}, "periodSeconds": 1, "timeoutSeconds": 5, **timing}


# Holds the other probes back until the server listens, however long that takes, and asks it nothing.
LISTENING = {"startupProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "failureThreshold": 60}}


def witness_pod() -> Manifest:
    return {
        "kind": "Pod",
        "metadata": {"name": "witness"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "main",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-u", "-c", WITNESS],
                    "env": IDENTITY,
                }
            ],
        },
    }
