"""The API servers under test, and a client that speaks plain HTTP to them."""

import asyncio
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from kubernetes import client, config

from seatrial.clusters.local.api.hooks import PodUsage, Usage
from seatrial.clusters.local.api.kinds import BY_GVK, KINDS
from seatrial.clusters.local.api.server import ApiServer
from seatrial.clusters.local.store import Store, StoreError

Manifest = dict[str, Any]
APPLY = "application/apply-patch+yaml"
PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}


class Refused(Exception):
    """The Status of a request that the server refused."""

    def __init__(self, status: Manifest) -> None:
        super().__init__(f"{status.get('code')} {status.get('reason')}: {status.get('message')}")
        self.code = status.get("code")
        self.reason = status.get("reason")
        self.message = status.get("message", "")
        self.details = status.get("details") or {}


@dataclass(frozen=True)
class Api:
    """One server, in one namespace."""

    http: httpx.Client
    namespace: str

    def path(self, resource: str, name: str | None = None, subresource: str | None = None) -> str:
        kind = KINDS[resource]
        root = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
        scope = f"/namespaces/{self.namespace}" if kind.namespaced else ""
        return "/".join(filter(None, [f"{root}{scope}", resource, name, subresource]))

    def create(self, manifest: Manifest, **parameters: str) -> Manifest:
        resource = resource_of(manifest)
        return self._answer(self.http.post(self.path(resource), json=manifest, params=parameters))

    def get(
        self, resource: str, name: str | None = None, subresource: str | None = None, **parameters: str
    ) -> Manifest:
        return self._answer(self.http.get(self.path(resource, name, subresource), params=parameters))

    def put(self, manifest: Manifest, subresource: str | None = None, **parameters: str) -> Manifest:
        path = self.path(resource_of(manifest), manifest["metadata"]["name"], subresource)
        return self._answer(self.http.put(path, json=manifest, params=parameters))

    def patch(
        self, resource: str, name: str, type_: str, patch: Any, subresource: str | None = None, **parameters: str
    ):
        headers = {"Content-Type": PATCHES[type_]}
        path = self.path(resource, name, subresource)
        return self._answer(self.http.patch(path, json=patch, headers=headers, params=parameters))

    def apply(self, manager: str, manifest: Manifest, **parameters: str) -> Manifest:
        path = self.path(resource_of(manifest), manifest["metadata"]["name"])
        query = {"fieldManager": manager, "fieldValidation": "Strict", **parameters}
        return self._answer(self.http.patch(path, json=manifest, headers={"Content-Type": APPLY}, params=query))

    def delete(self, resource: str, name: str, **options: Any) -> Manifest:
        return self._answer(self.http.request("DELETE", self.path(resource, name), json=options))

    def _answer(self, response: httpx.Response) -> Manifest:
        found = response.json()
        if response.status_code >= 400:
            raise Refused(found)
        return found


def resource_of(manifest: Manifest) -> str:
    return BY_GVK[(manifest["apiVersion"], manifest["kind"])].resource


def http_client(kubeconfig, context=None) -> httpx.Client:
    """Plain HTTP with what a kubeconfig says about address and certificates."""
    found = client.Configuration()
    config.load_kube_config(str(kubeconfig), context, client_configuration=found)
    verify: ssl.SSLContext | bool = False
    if found.ssl_ca_cert:
        verify = ssl.create_default_context(cafile=found.ssl_ca_cert)
        if found.cert_file:
            verify.load_cert_chain(found.cert_file, found.key_file)
    return httpx.Client(base_url=found.host, verify=verify, timeout=30, headers={"User-Agent": "test/1"})


class MadeUpHooks:
    """A kubelet and a budget that answer at once."""

    def __init__(self) -> None:
        self.refusal: str | None = None

    async def logs(self, pod, container, options):
        if options.previous:
            raise StoreError(400, "BadRequest", f'previous terminated container "{container}" not found')
        for line in ("one\n", "two\n", "three\n")[-(options.tail_lines or 3) :]:
            yield f"{container}: {line}".encode()

    async def exec(self, pod, container, command, streams):
        if command == ["cat"]:
            while chunk := await streams.read_stdin():
                await streams.write_stdout(chunk)
            return 0
        await streams.write_stderr(" ".join(command).encode())
        return 7

    def refuse_eviction(self, pod):
        return self.refusal

    def pod_usage(self, pod):
        return PodUsage(1_767_225_600.0, 15.0, {"main": Usage(0.25, 64 * 2**20)})


@dataclass(frozen=True)
class Running:
    """A server in a thread of its own, for clients that block. Touch the store only through `call`."""

    url: str
    store: Store
    hooks: MadeUpHooks
    loop: asyncio.AbstractEventLoop

    def call(self, function, *arguments, **named):
        async def run():
            return function(*arguments, **named)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)


@contextmanager
def running():
    """A server on a free port until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    store, hooks = Store(), MadeUpHooks()
    server = ApiServer(store, hooks)
    try:
        url = asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield Running(url, store, hooks, loop)
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
