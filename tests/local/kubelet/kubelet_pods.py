"""Pods for the kubelet's tests, and ways to see what became of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from seatrial.clusters.local.kubelet.kubelet import Kubelet
from seatrial.clusters.local.kubelet.logs import LogOptions
from seatrial.clusters.local.store import Event, Store

Obj = dict[str, Any]

# Answers /ready, /live and the rest with 200; /fail?path=/live turns a path into 500; SIGTERM ends it with 0.
SERVER = """
import http.server, os, signal, sys, threading
failing = set(os.environ.get("FAILING", "").split())
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/fail":
            failing.add(query)
        elif path == "/mend":
            failing.discard(query)
        print(path, self.headers.get("User-Agent"), self.headers.get("Host"), flush=True)
        if path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.9:1/")
        elif path == "/here":
            self.send_response(302)
            self.send_header("Location", "/ready")
        else:
            self.send_response(500 if path in failing else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *arguments):
        pass
def end(number, frame):
    print("SIGTERM", flush=True)
    threading.Thread(target=server.shutdown).start()
server = http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Handler)
signal.signal(signal.SIGTERM, end)
server.serve_forever(poll_interval=0.02)
sys.exit(int(os.environ.get("EXIT", "0")))
"""


def container(name: str = "web", **fields: Any) -> Obj:
    """The server above, unless `command` says otherwise."""
    return {"name": name, "image": "python:3.11-slim", "command": ["python3", "-c", SERVER]} | fields


def shell(script: str, name: str = "web", **fields: Any) -> Obj:
    """A container that runs a shell script."""
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script]} | fields


def pod(*containers: Obj, name: str = "web", **spec: Any) -> Obj:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": list(containers)} | spec}


def serving(**fields: Any) -> Obj:
    """The server, ready when it answers: only then does it handle SIGTERM."""
    return container(**({"readinessProbe": http("/ready")} | fields))


def http(path: str, **fields: Any) -> Obj:
    """A probe of the server every second, unless `fields` say otherwise."""
    return {"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1, "failureThreshold": 1} | fields


@dataclass
class Node:
    """The store, the kubelet, and every version of every pod seen since the first `until`."""

    store: Store
    kubelet: Kubelet
    seen: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._subscription = self.store.subscribe("pods")

    def run(self, obj: Obj) -> Obj:
        return self.store.create("pods", obj)

    async def until(self, holds: Callable[[Obj], object], name: str = "web", within_s: float = 30) -> Obj:
        """The first version of the pod, from now on, for which `holds`."""
        async with asyncio.timeout(within_s):
            current = self.store.find("pods", "default", name)
            if current is not None and holds(current):
                return current
            async for event in self._subscription:
                self.seen.append(event)
                obj = event.object
                if obj["metadata"]["name"] == name and event.type != "DELETED" and holds(obj):
                    return obj
        raise AssertionError("the store closed the watch")

    async def gone(self, name: str = "web", within_s: float = 30) -> Obj:
        """The last version of a pod that is deleted."""
        async with asyncio.timeout(within_s):
            async for event in self._subscription:
                self.seen.append(event)
                if event.type == "DELETED" and event.object["metadata"]["name"] == name:
                    return event.object
        raise AssertionError("the store closed the watch")

    async def eventually(self, holds: Callable[[], object], within_s: float = 30) -> None:
        """Wait for what no change of a pod tells."""
        async with asyncio.timeout(within_s):
            while not holds():
                await asyncio.sleep(0.02)

    def events(self, reason: str) -> list[Obj]:
        return [event for event in self.store.list("events") if event["reason"] == reason]

    async def log(self, name: str = "web", container: str | None = None, **options: Any) -> str:
        previous = options.pop("previous", False)
        wanted = LogOptions(**options)
        lines = [
            line async for line in self.kubelet.logs("default", name, container, previous=previous, options=wanted)
        ]
        return b"".join(lines).decode()


def state(obj: Obj, container: int = 0) -> Obj:
    statuses = (obj.get("status") or {}).get("containerStatuses")
    return statuses[container] if statuses else {"state": {}, "restartCount": 0, "lastState": {}, "ready": False}


def running(obj: Obj) -> bool:
    return "running" in state(obj)["state"]


def ready(obj: Obj) -> bool:
    return condition(obj, "Ready") == "True"


def condition(obj: Obj, kind: str) -> str | None:
    for one in (obj.get("status") or {}).get("conditions") or ():
        if one["type"] == kind:
            return str(one["status"])
    return None


def phase(obj: Obj) -> str:
    return str((obj.get("status") or {}).get("phase"))


def ended(obj: Obj) -> bool:
    return phase(obj) in ("Succeeded", "Failed")
