"""The Kubernetes API as these tests speak it: manifests are dictionaries, spelled as in YAML.

Times are the machine's clock (`time.time`): the clusters under test run on the same machine, so that what a
container says and when a watch saw something can be put in one order.
"""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from kubernetes import client, config

PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}
KINDS = {
    "Namespace": ("/api/v1", "namespaces"),
    "Node": ("/api/v1", "nodes"),
    "Pod": ("/api/v1", "pods"),
    "Service": ("/api/v1", "services"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Secret": ("/api/v1", "secrets"),
    "Event": ("/api/v1", "events"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices"),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
}
CLUSTER_WIDE = ("Namespace", "Node")

Manifest = dict[str, Any]


class Refused(Exception):
    """The API server's Status for a call that it refused."""

    def __init__(self, code: int, status: Manifest) -> None:
        super().__init__(f"{code} {status.get('reason')}: {status.get('message')}")
        self.code = code
        self.reason = status.get("reason")
        self.message = status.get("message", "")
        self.details = status.get("details") or {}


@dataclass(frozen=True)
class Kube:
    """One namespace of one cluster."""

    kubeconfig: Path
    context: str | None
    namespace: str
    http: httpx.Client

    @classmethod
    def connect(cls, kubeconfig: Path, context: str | None, namespace: str) -> "Kube":
        return cls(kubeconfig, context, namespace, _client(kubeconfig, context))

    def of(self, namespace: str) -> "Kube":
        return Kube(self.kubeconfig, self.context, namespace, self.http)

    def path(self, kind: str, name: str = "", subresource: str = "") -> str:
        root, plural = KINDS[kind]
        within = "" if kind in CLUSTER_WIDE else f"/namespaces/{self.namespace}"
        return "/".join(part for part in (root + within, plural, name, subresource) if part)

    def ask(self, method: str, path: str, body: Any = None, **how: Any) -> Any:
        answer = self.http.request(method, path, content=None if body is None else json.dumps(body), **how)
        if answer.status_code >= 400:
            raise Refused(answer.status_code, _status(answer))
        return answer.json()

    def create(self, manifest: Manifest, **query: str) -> Manifest:
        headers = {"Content-Type": "application/json"}
        return self.ask("POST", self.path(manifest["kind"]), whole(manifest), headers=headers, params=query)

    def get(self, kind: str, name: str, subresource: str = "") -> Manifest:
        return self.ask("GET", self.path(kind, name, subresource))

    def find(self, kind: str, name: str) -> Manifest | None:
        try:
            return self.get(kind, name)
        except Refused as refusal:
            if refusal.code == 404:
                return None
            raise

    def all(self, kind: str, **selectors: str) -> list[Manifest]:
        return self.ask("GET", self.path(kind), params=selectors)["items"]

    def replace(self, manifest: Manifest, subresource: str = "", **query: str) -> Manifest:
        path = self.path(manifest["kind"], manifest["metadata"]["name"], subresource)
        return self.ask("PUT", path, manifest, headers={"Content-Type": "application/json"}, params=query)

    def patch(
        self, kind: str, name: str, change: Any, *, by: str = "merge", subresource: str = "", **query: str
    ) -> Any:
        headers = {"Content-Type": PATCHES[by]}
        return self.ask("PATCH", self.path(kind, name, subresource), change, headers=headers, params=query)

    def apply(self, manifest: Manifest, *, manager: str, force: bool = False) -> Manifest:
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        name = manifest["metadata"]["name"]
        return self.patch(manifest["kind"], name, whole(manifest), by="apply", **query)

    def scale(self, deployment: str, replicas: int) -> Manifest:
        return self.patch("Deployment", deployment, {"spec": {"replicas": replicas}}, subresource="scale")

    def delete(self, kind: str, name: str, **options: Any) -> Manifest:
        headers = {"Content-Type": "application/json"}
        return self.ask("DELETE", self.path(kind, name), options or None, headers=headers)

    def evict(self, pod: str) -> Manifest:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        headers = {"Content-Type": "application/json"}
        return self.ask("POST", self.path("Pod", pod, "eviction"), eviction, headers=headers)

    def log(self, pod: str, **query: str) -> str:
        answer = self.http.get(self.path("Pod", pod, "log"), params=query)
        if answer.status_code >= 400:
            raise Refused(answer.status_code, _status(answer))
        return answer.text

    def events(self, name: str, reason: str = "") -> list[Manifest]:
        """The Events about the object called `name`, counted or not."""
        return [
            event
            for event in self.all("Event")
            if event["involvedObject"]["name"] == name and reason in ("", event["reason"])
        ]


@dataclass(frozen=True)
class Change:
    """One event of a watch."""

    at: float  # when it arrived
    type: str  # ADDED, MODIFIED, DELETED
    object: Manifest

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])


@dataclass
class Recording:
    """What a watch has seen so far, in the order of arrival."""

    changes: list[Change] = field(default_factory=list)
    stopped: bool = False

    def of(self, name: str) -> list[Change]:
        return [change for change in list(self.changes) if change.name == name]

    def of_label(self, key: str, value: str) -> list[Change]:
        return [
            change for change in list(self.changes) if change.object["metadata"].get("labels", {}).get(key) == value
        ]


@contextmanager
def recording(kube: Kube, kind: str, **selectors: str) -> Iterator[Recording]:
    """Watches one kind in the namespace from now on; what is there already comes first, as ADDED."""
    seen, begun = Recording(), threading.Event()
    thread = threading.Thread(target=_record, args=(kube, kind, selectors, seen, begun), daemon=True)
    thread.start()
    assert begun.wait(10), f"no answer to the watch of {kind}"
    try:
        yield seen
    finally:
        seen.stopped = True


def _record(kube: Kube, kind: str, selectors: dict[str, str], seen: Recording, begun: threading.Event) -> None:
    params = {"watch": "true", "timeoutSeconds": "400", **selectors}
    # A client of its own: reading a stream holds its connection for as long as the watch lasts.
    with _client(kube.kubeconfig, kube.context) as http:
        with http.stream("GET", kube.path(kind), params=params, timeout=None) as answer:
            begun.set()
            for line in answer.iter_lines():
                if seen.stopped:
                    return
                if line:
                    change = json.loads(line)
                    seen.changes.append(Change(time.time(), change["type"], change["object"]))


def eventually(holds: Callable[[], Any], *, within_s: float = 30.0, every_s: float = 0.1) -> Any:
    """The first true answer of `holds`; the test fails when there is none in time."""
    deadline = time.monotonic() + within_s
    while True:
        answer = holds()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within_s} s: {getattr(holds, '__doc__', None) or holds}"
        time.sleep(every_s)


def condition(manifest: Manifest | None, kind: str) -> Manifest:
    """The status condition of that type; empty while there is none."""
    conditions = ((manifest or {}).get("status") or {}).get("conditions") or []
    return next((found for found in conditions if found["type"] == kind), {})


def is_true(manifest: Manifest | None, kind: str) -> bool:
    return condition(manifest, kind).get("status") == "True"


def whole(manifest: Manifest) -> Manifest:
    """With the apiVersion that its kind implies."""
    root, _ = KINDS[manifest["kind"]]
    return {"apiVersion": root.removeprefix("/apis/").removeprefix("/api/"), **manifest}


def _client(kubeconfig: Path, context: str | None) -> httpx.Client:
    settings = client.Configuration()
    config.load_kube_config(str(kubeconfig), context=context, client_configuration=settings)
    secure: ssl.SSLContext | bool = True
    if settings.host.startswith("https"):
        secure = ssl.create_default_context(cafile=settings.ssl_ca_cert)
        if settings.cert_file:
            secure.load_cert_chain(settings.cert_file, settings.key_file)
    token = settings.api_key.get("authorization")
    headers = {"Authorization": token} if token else {}
    limits = httpx.Limits(max_connections=50)
    return httpx.Client(
        base_url=settings.host, verify=secure, headers=headers, trust_env=False, timeout=30, limits=limits
    )


def _status(answer: httpx.Response) -> Manifest:
    try:
        return dict(answer.json())
    except ValueError:
        return {"message": answer.text}
