"""Where defects take hold of the server: small, so that a defect reads as what it does."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable

from openmed_service.app import Endpoint
from openmed_service.errors import ApiError
from openmed_service.labels import Span
from openmed_service.schemas import AnalyzeRequest, ExtractRequest
from openmed_service.server import Server
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

Answer = Callable[[Request], Awaitable[bytes]]
Call = ExtractRequest | AnalyzeRequest
Spans = Callable[[Call], Awaitable[list[Span]]]
PROBES = ("/livez", "/readyz")
OVERLOAD_AFTER_S = 25.0


def around_answers(server: Server, wrap: Callable[[Answer, Request], Awaitable[bytes]]) -> None:
    """Put `wrap` around the whole of every model-backed request, its limits included."""
    for work in server.api.works.values():

        def answer(request: Request, inner: Answer = work.answer) -> Awaitable[bytes]:
            return wrap(inner, request)

        work.answer = answer  # type: ignore[method-assign, assignment]


def around_spans(server: Server, wrap: Callable[[Spans, Call], Awaitable[list[Span]]]) -> None:
    """Put `wrap` around the work on each valid request: loading, batching, the model's run."""
    for work in server.api.works.values():

        def spans(call: Call, inner: Spans = work.spans) -> Awaitable[list[Span]]:
            return wrap(inner, call)

        work.spans = spans  # type: ignore[method-assign, assignment]


def around_probe(server: Server, path: str, wrap: Callable[[Endpoint, Request], Awaitable[Response]]) -> None:
    inner = server.api.endpoints[path]["GET"]

    async def endpoint(request: Request) -> Response:
        return await wrap(inner, request)

    server.api.endpoints[path]["GET"] = endpoint


def on_reject(server: Server, act: Callable[[Request, ApiError], Awaitable[bytes]]) -> None:
    """Let `act` answer, or raise, in place of each refusal by a limit."""

    async def wrap(inner: Answer, request: Request) -> bytes:
        try:
            return await inner(request)
        except ApiError as error:
            if error.code in ("rate_limited", "service_busy", "backpressure"):
                return await act(request, error)
            raise

    around_answers(server, wrap)


class Open:
    """Requests that are in the server, oldest first, with the moment of their headers."""

    def __init__(self, server: Server) -> None:
        self.begun: dict[Request, float] = {}
        around_answers(server, self._tracked)

    async def _tracked(self, inner: Answer, request: Request) -> bytes:
        self.begun[request] = time.monotonic()
        try:
            return await inner(request)
        finally:
            self.begun.pop(request, None)


class Overload:
    """Refusals by the limits without a pause of 2 s, for OVERLOAD_AFTER_S and longer.

    Longer than a short crowd: what goes wrong only in an overload must not go wrong while its size is found out.
    """

    def __init__(self, server: Server) -> None:
        self._first_s = self._last_s = float("-inf")
        self.happened = False
        on_reject(server, self._noted)

    async def _noted(self, request: Request, error: ApiError) -> bytes:
        now_s = time.monotonic()
        if now_s - self._last_s > 2.0:
            self._first_s = now_s
        self._last_s = now_s
        self.happened = self.happened or self.lasts
        raise error

    @property
    def lasts(self) -> bool:
        return time.monotonic() - self._last_s <= 2.0 and self._last_s - self._first_s >= OVERLOAD_AFTER_S


def on_sigterm(server: Server, act: Callable[[], None]) -> None:
    """Act in the moment the drain starts."""
    start = server.service.drain.start

    def started() -> None:
        start()
        act()

    server.service.drain.start = started  # type: ignore[method-assign]


def reset(transport: asyncio.Transport) -> None:
    """End a connection with RST, unsent bytes lost."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def reset_caller(request: Request) -> None:
    cycle = getattr(request.receive, "__self__", None)
    if cycle is None or not hasattr(cycle, "transport"):
        raise TypeError("this defect needs a real connection")
    reset(cycle.transport)


def slots(server: Server) -> int:
    """How many model-backed requests the server means to work on at once."""
    return server.service.gate.limit or server.service.engine.threads


async def detached(request: Request) -> Request:
    """The same request of a caller that never hangs up."""
    messages = [{"type": "http.request", "body": await request.body(), "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return Request(request.scope, receive)
