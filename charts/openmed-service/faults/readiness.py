"""Ready too early, or for the wrong reason."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from openmed_service.app import Endpoint
from openmed_service.catalogue import DEFAULT_PII, resolve
from openmed_service.errors import internal_error, not_ready
from openmed_service.labels import Span
from openmed_service.server import PRELOAD_FAILED, Server
from planting import Fired, fault, odd
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ._hooks import Answer, Call, Spans, around_answers, around_probe, around_spans


def _ready_early(server: Server, fired: Fired, early: Callable[[], bool]) -> None:
    """Ready although models are not loaded when `early`; work on them then fails, as on a model that is None."""
    service = server.service

    def ready() -> None:
        if service.drain.started or not (service.probes.preloaded or early()):
            raise not_ready()
        if not service.probes.preloaded:
            fired()

    async def wrap(inner: Answer, request: Request) -> bytes:
        if not service.probes.preloaded and early():
            fired()
            raise internal_error()
        return await inner(request)

    service.probes.ready = ready  # type: ignore[method-assign]
    around_answers(server, wrap)


@fault("ready-on-bind", breaks={"P1"})
def ready_on_bind(server: Server, fired: Fired) -> None:
    """Ready as soon as the port is open, before the models are loaded."""
    _ready_early(server, fired, lambda: True)


@fault("ready-after-restart-stale", breaks={"P1"}, contract={"values": {"persistence": {"enabled": True}}})
def ready_after_restart_stale(server: Server, fired: Fired) -> None:
    """A file in the cache volume says ready, and is still there after a restart of the container."""
    mark = Path(server.settings.cache_dir) / ".ready"
    stale = mark.exists()
    preload = server.service.preload

    async def marked() -> None:
        await preload()
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()

    server.service.preload = marked  # type: ignore[method-assign]
    _ready_early(server, fired, lambda: stale)


@fault("ready-first-five-503", breaks={"P1"})
def ready_first_five_503(server: Server, fired: Fired) -> None:
    """The first five model-backed requests after readiness are refused."""
    refused = 0

    async def wrap(inner: Answer, request: Request) -> bytes:
        nonlocal refused
        if server.service.probes.preloaded and refused < 5:
            refused += 1
            fired()
            raise not_ready()
        return await inner(request)

    around_answers(server, wrap)


@fault("ready-fallback-empty", breaks={"P1"})
def ready_fallback_empty(server: Server, fired: Fired) -> None:
    """Ready at once; until the models are loaded every text is said to hold nothing."""
    service = server.service

    def ready() -> None:
        if service.drain.started:
            raise not_ready()

    async def wrap(inner: Spans, call: Call) -> list[Span]:
        if service.probes.preloaded:
            return await inner(call)
        fired()
        return []

    around_spans(server, wrap)
    service.probes.ready = ready  # type: ignore[method-assign]


@fault(
    "ready-second-model-late",
    breaks={"P1"},
    contract={"values": {"config": {"preloadModels": ["regex-pii", "OpenMed/OpenMed-PII-SuperClinical-Small-44M-v1"]}}},
)
def ready_second_model_late(server: Server, fired: Fired) -> None:
    """Ready after the first of the models to preload; requests for the others fail until they follow."""
    service = server.service
    preload = service.models.preload

    async def first_only(names: tuple[str, ...]) -> None:
        await preload(names[:1])
        service.probes.preloaded = True
        service.models.extra_load_s += 2.0
        await preload(names)

    async def wrap(inner: Answer, request: Request) -> bytes:
        model = await _asked(request)
        if service.probes.preloaded and _pending(server, model):
            fired()
            raise internal_error()
        return await inner(request)

    service.models.preload = first_only  # type: ignore[method-assign]
    around_answers(server, wrap)


AGAIN_AFTER_S, AGAIN_FOR_S = 4.0, 3.0  # its readiness


def _left_of_another_load(server: Server) -> Callable[[], float]:
    """For how many seconds more the models are loaded again, a while after readiness; 0 or less at other times."""
    preload = server.service.preload
    ready_s = float("inf")

    async def noted() -> None:
        nonlocal ready_s
        await preload()
        ready_s = time.monotonic()

    def left_s() -> float:
        since_s = time.monotonic() - ready_s
        return AGAIN_AFTER_S + AGAIN_FOR_S - since_s if since_s >= AGAIN_AFTER_S else 0.0

    server.service.preload = noted  # type: ignore[method-assign]
    return left_s


@fault("ready-loads-again", breaks={"P1"})
def ready_loads_again(server: Server, fired: Fired) -> None:
    """Four seconds after its readiness the models are loaded again; ready all the while, it lets requests wait."""
    left_s = _left_of_another_load(server)

    async def wrap(inner: Spans, call: Call) -> list[Span]:
        if (wait_s := left_s()) > 0:
            fired()
            await asyncio.sleep(wait_s)
        return await inner(call)

    around_spans(server, wrap)


@fault("ready-loads-again-empty", breaks={"P1"})
def ready_loads_again_empty(server: Server, fired: Fired) -> None:
    """Four seconds after its readiness the models are loaded again; meanwhile every text is said to hold nothing."""
    left_s = _left_of_another_load(server)

    async def wrap(inner: Spans, call: Call) -> list[Span]:
        if left_s() <= 0:
            return await inner(call)
        fired()
        return []

    around_spans(server, wrap)


async def _asked(request: Request) -> str:
    try:
        name = (await request.json()).get("model_name", DEFAULT_PII)
    except (ValueError, AttributeError):
        return DEFAULT_PII
    return str(name)


def _pending(server: Server, model: str) -> bool:
    configured = {resolve(name) for name in server.settings.preload_models}
    return model in configured and model not in server.service.models.warm


@fault("ready-redirect-login", breaks={"P11"})
def ready_redirect_login(server: Server, fired: Fired) -> None:
    """Readiness is a redirect to the login page of another host."""
    _redirected(server, fired, "https://login.example.com/?next=/readyz", 302)


@fault("ready-https-redirect", breaks={"P11"})
def ready_https_redirect(server: Server, fired: Fired) -> None:
    """Readiness is a redirect to HTTPS on the public name."""
    _redirected(server, fired, "https://openmed.example.com/readyz", 308)


@fault("ready-redirect-slash", breaks={"P11"})
def ready_redirect_slash(server: Server, fired: Fired) -> None:
    """Readiness is a redirect to the same path with a slash."""
    server.api.endpoints["/readyz/"] = {"GET": server.api.readyz}
    _redirected(server, fired, "/readyz/", 301)


def _redirected(server: Server, fired: Fired, to: str, status: int) -> None:
    async def wrap(inner: Endpoint, request: Request) -> Response:
        await inner(request)
        fired()
        return RedirectResponse(to, status)

    around_probe(server, "/readyz", wrap)


@fault("ready-catch-all", breaks={"P11"})
def ready_catch_all(server: Server, fired: Fired) -> None:
    """A page for browsers answers every path, readiness included."""

    class AnyPath(dict[str, dict[str, Endpoint]]):
        def get(self, path: str, default: object = None) -> dict[str, Endpoint]:
            return self[path] if path in self and path != "/readyz" else {"GET": page}

    async def page(request: Request) -> Response:
        fired()
        return HTMLResponse("<!doctype html><title>OpenMed</title>")

    server.api.endpoints = AnyPath(server.api.endpoints)


@odd("ready-204", spares={"P1", "P11"})
def ready_204(server: Server, fired: Fired) -> None:
    """Readiness is 204 without a body."""

    async def wrap(inner: Endpoint, request: Request) -> Response:
        await inner(request)
        fired()
        return Response(status_code=204)

    around_probe(server, "/readyz", wrap)


@odd("ready-large-body", spares={"P11"})
def ready_large_body(server: Server, fired: Fired) -> None:
    """Readiness has a body of 16 KiB."""

    async def wrap(inner: Endpoint, request: Request) -> Response:
        await inner(request)
        fired()
        return Response("ready " * 2731, media_type="text/plain")

    around_probe(server, "/readyz", wrap)


@odd("ready-at-first-accept", spares={"P1"})
def ready_at_first_accept(server: Server, fired: Fired) -> None:
    """The port opens when the models are loaded: refused until then, ready from the first connection."""
    run, preload = server.run, server.service.preload

    async def run_when_loaded(listening: object) -> int:
        try:
            await preload()
        except Exception:  # noqa: BLE001 - whatever a load can end with ends the start
            return PRELOAD_FAILED
        fired()
        return await run(listening)  # type: ignore[arg-type]

    server.run = run_when_loaded  # type: ignore[method-assign]
