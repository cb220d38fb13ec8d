"""The ASGI application: request id and metrics first, then the host check, then the path."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from . import SERVICE, VERSION
from .catalogue import UnknownModel
from .cors import Cors
from .errors import ApiError, ClientGone, bad_request, internal_error
from .hosts import is_trusted
from .logs import log
from .metrics import CONTENT_TYPE
from .openapi import document
from .schemas import UnloadRequest, parse
from .service import Service
from .work import MODEL_ROUTES, Work

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


def _json(body: object) -> Response:
    return Response(json.dumps(body), media_type="application/json")


class App:
    """One HTTP request in, one answer out; every failure leaves as the error envelope."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.cors = Cors(service.settings.cors_origins)
        self.works = {route.path: Work(service, route) for route in MODEL_ROUTES}
        self.endpoints: dict[str, dict[str, Endpoint]] = {
            "/livez": {"GET": self.livez},
            "/readyz": {"GET": self.readyz},
            "/health": {"GET": self.health},
            "/metrics": {"GET": self.metrics},
            "/models/loaded": {"GET": self.models_loaded},
            "/models/unload": {"POST": self.models_unload},
            "/openapi.json": {"GET": self.openapi},
        }
        for path in self.works:
            self.endpoints[path] = {"POST": self.model_backed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope["state"] = {}
        request = Request(scope, receive, send)
        started = time.monotonic()
        route = request.url.path if request.url.path in self.endpoints else "unknown"
        request_id = request.headers.get("x-request-id") or str(uuid.uuid4())
        response = await self.respond(request)
        response.headers["X-Request-ID"] = request_id
        self.cors.grant(request, response)
        if self.says_close():
            response.headers["Connection"] = "close"
        duration_s = time.monotonic() - started
        self.service.metrics.requests.labels(route, str(response.status_code)).inc()
        self.service.metrics.duration_s.labels(route).observe(duration_s)
        log(
            "request",
            method=request.method,
            route=route,
            status=response.status_code,
            duration_s=round(duration_s, 4),
            request_id=request_id,
            model=scope["state"].get("model"),
        )
        await response(scope, receive, send)

    def says_close(self) -> bool:
        """Whether whoever holds this connection should open the next one to another pod."""
        return self.service.drain.started

    async def respond(self, request: Request) -> Response:
        try:
            return await self.checked(request)
        except ApiError as error:
            return Response(error.body(), error.status, error.headers, "application/json")
        except ClientGone:
            return Response(status_code=499)  # for the log and the metrics: there is nobody to read it
        except Exception as error:  # noqa: BLE001 - the one place where the unforeseen becomes an answer
            where = error.__traceback__
            while where and where.tb_next:
                where = where.tb_next
            place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "unknown"
            log("internal_error", error_type=type(error).__name__, place=place)
            return Response(internal_error().body(), 500, media_type="application/json")

    async def checked(self, request: Request) -> Response:
        if not is_trusted(request.headers.get("host", ""), self.service.settings.trusted_hosts):
            raise bad_request("Host is not trusted")
        if self.cors.is_preflight(request):
            return self.cors.preflight(request)
        methods = self.endpoints.get(request.url.path)
        if methods is None:
            raise bad_request("No such path", status=404)
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods:
            raise bad_request("No such method on this path", status=405, headers={"Allow": ", ".join(methods)})
        return await methods[method](request)

    async def livez(self, request: Request) -> Response:
        self.service.probes.live()
        return _json({"status": "ok", "service": SERVICE})

    async def readyz(self, request: Request) -> Response:
        self.service.probes.ready()
        return _json({"status": "ready", "service": SERVICE})

    async def health(self, request: Request) -> Response:
        profile = self.service.settings.profile
        return _json({"status": "ok", "service": SERVICE, "version": VERSION, "profile": profile})

    async def metrics(self, request: Request) -> Response:
        if not self.service.settings.metrics:
            raise bad_request("No such path", status=404)
        return Response(self.service.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        return _json(document())

    async def models_loaded(self, request: Request) -> Response:
        return _json(self.service.models.snapshot())

    async def models_unload(self, request: Request) -> Response:
        asked = parse(UnloadRequest, await request.body(), self.service.settings.max_text_length)
        if asked.all:
            count, active = self.service.models.unload_all()
            return _json({"unloaded": not active, "released": _released(count), "active_models": active})
        assert asked.model_name is not None
        try:
            unloaded, holders, count = self.service.models.unload(asked.model_name)
        except UnknownModel as error:
            raise bad_request(str(error)) from None
        return _json(
            {
                "unloaded": unloaded,
                "model_name": asked.model_name,
                "active_requests": holders,
                "released": _released(count),
            }
        )

    async def model_backed(self, request: Request) -> Response:
        body = await self.works[request.url.path].answer(request)
        return Response(body, media_type="application/json")


def _released(count: int) -> dict[str, int]:
    return {"models": count, "tokenizers": count, "pipelines": count}
