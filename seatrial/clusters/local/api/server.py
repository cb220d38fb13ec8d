"""The HTTP server of the embedded cluster's API."""

from __future__ import annotations

import logging

from aiohttp import web

from seatrial.clusters.local.api import answers, discovery, openapi, reading, subresources, virtual, watching, writing
from seatrial.clusters.local.api import exec as exec_
from seatrial.clusters.local.api.errors import StoreError
from seatrial.clusters.local.api.hooks import Hooks
from seatrial.clusters.local.api.request import BODY_LIMIT_BYTES, Target, flag, target
from seatrial.clusters.local.store import Store

log = logging.getLogger(__name__)

SHUTDOWN_S = 0.5  # open watches are cut after this


class ApiServer:
    """Serves a Store on loopback, in the loop that calls `start`."""

    def __init__(self, store: Store, hooks: Hooks) -> None:
        self._store = store
        self._hooks = hooks
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; port 0 is any free one. The URL to reach it. Raises OSError if the port is taken."""
        app = web.Application(client_max_size=BODY_LIMIT_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # Without cancellation a watch would live on after its client has left.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        self._runner = runner
        bound = runner.addresses[0]
        return f"http://{bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        """Close all connections; harmless when repeated."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except StoreError as error:
            return answers.refusal(error)
        except Exception as problem:
            # A bug of ours must reach the client as a Status too: Go's clients retry on anything else.
            log.exception("request_failed", extra={"method": request.method, "path": request.path})
            message = f"Internal error occurred: {type(problem).__name__}: {problem}"
            return answers.refusal(StoreError(500, "InternalError", message))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        wanted = target(request.path)
        if wanted is not None:
            return await self._answer_resource(request, wanted)
        path = request.path.rstrip("/")
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        if path == "/version":
            return answers.answer(discovery.version())
        found = (
            discovery.answer_discovery(request)
            or openapi.answer_openapi(request)
            or await virtual.answer_review(request)
            or virtual.answer_metrics(self._store, self._hooks, request)
        )
        if found is None:
            raise virtual.not_served(request)
        return found

    async def _answer_resource(self, request: web.Request, wanted: Target) -> web.StreamResponse:
        store = self._store
        match request.method, wanted.name, wanted.subresource:
            case "GET", None, None if flag(request, "watch"):
                return await watching.watch(store, request, wanted)
            case "GET", None, None:
                return reading.list_(store, request, wanted)
            case "POST", None, None:
                return await writing.create(store, request, wanted)
            case "DELETE", None, None:
                return await writing.delete_collection(store, request, wanted)
            case "GET", str(), None | "status":
                return reading.get(store, request, wanted)
            case "PUT", str(), None | "status":
                return await writing.replace(store, request, wanted)
            case "PATCH", str(), None | "status":
                return await writing.patch(store, request, wanted)
            case "DELETE", str(), None:
                return await writing.delete(store, request, wanted)
            case _, str(), str():
                return await self._answer_subresource(request, wanted)
        raise _method_not_allowed()

    async def _answer_subresource(self, request: web.Request, wanted: Target) -> web.StreamResponse:
        store, hooks = self._store, self._hooks
        match wanted.kind.resource, wanted.subresource, request.method:
            case _, "scale", "GET" | "PUT" | "PATCH" if wanted.kind.scale:
                return await subresources.scale(store, request, wanted)
            case "pods", "eviction", "POST":
                return await subresources.evict(store, hooks, request, wanted)
            case "pods", "binding", "POST":
                return await subresources.bind(store, request, wanted)
            case "pods", "log", "GET":
                return await subresources.log(store, hooks, request, wanted)
            case "pods", "exec", "GET":
                return await exec_.run(store, hooks, request, wanted)
        raise virtual.not_served(request)


def _method_not_allowed() -> StoreError:
    message = "the server does not allow this method on the requested resource"
    return StoreError(405, "MethodNotAllowed", message)
