"""From a model-backed request to its answer: drain, rate, concurrency, validation, coalescing, batching, model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from . import answers
from .catalogue import UnknownModel, resolve
from .errors import ApiError, ClientGone, bad_request, timed_out
from .labels import Span
from .schemas import AnalyzeRequest, DeidentifyRequest, ExtractRequest, parse
from .service import Service
from .throttle import throttle_key


@dataclass(frozen=True, slots=True)
class ModelRoute:
    path: str
    schema: type[ExtractRequest] | type[AnalyzeRequest]
    batched: bool


MODEL_ROUTES = (
    ModelRoute("/analyze", AnalyzeRequest, batched=True),
    ModelRoute("/pii/extract", ExtractRequest, batched=True),
    ModelRoute("/pii/deidentify", DeidentifyRequest, batched=False),
)


class Work:
    """One model-backed path."""

    def __init__(self, service: Service, route: ModelRoute) -> None:
        self.service = service
        self.route = route

    async def answer(self, request: Request) -> bytes:
        """The body of a 200. Raises ApiError, or ClientGone when nobody waits any more."""
        service = self.service
        peer = request.client.host if request.client else "unknown"
        key = throttle_key(service.settings.throttle_key, request.headers, peer)
        with service.drain.admitted():
            service.rate.take(key)
            try:
                await service.gate.acquire(key)
            except ApiError:
                service.rate.give_back(key)
                raise
            try:
                return await self.admitted(request)
            finally:
                service.gate.release(key)

    async def admitted(self, request: Request) -> bytes:
        try:
            body = await request.body()
        except ClientDisconnect:
            raise ClientGone from None
        call = parse(self.route.schema, body, self.service.settings.max_text_length)
        request.scope["state"]["model"] = call.model_name
        try:
            resolve(call.model_name)
        except UnknownModel as error:
            raise bad_request(str(error)) from None
        identity = (self.route.path, call.model_dump_json())
        async with given_up_on_disconnect(request):
            return await self.service.coalescer.run(identity, lambda: self.computed(call))

    async def computed(self, call: ExtractRequest | AnalyzeRequest) -> bytes:
        started = time.monotonic()
        timeout_s = self.service.settings.timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                spans = await self.spans(call)
        except TimeoutError:
            raise timed_out(timeout_s) from None
        return self.body(call, spans, time.monotonic() - started)

    def body(self, call: ExtractRequest | AnalyzeRequest, spans: list[Span], elapsed_s: float) -> bytes:
        if isinstance(call, DeidentifyRequest):
            return answers.deidentification(call, spans, elapsed_s)
        return answers.prediction(call, spans, elapsed_s)

    async def spans(self, call: ExtractRequest | AnalyzeRequest) -> list[Span]:
        service = self.service
        async with service.models.use(call.model_name, call.keep_alive_s) as model:
            run = service.batcher.run if self.route.batched else service.batcher.run_alone
            return await run(model, call.text, call.options(), self.route.path)


@asynccontextmanager
async def given_up_on_disconnect(request: Request) -> AsyncIterator[None]:
    """Cancels the block when the caller closes its connection. Raises ClientGone then."""
    task = asyncio.current_task()
    assert task is not None
    gone = False

    async def watch(cancel: Callable[[], bool]) -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        cancel()

    watcher = asyncio.create_task(watch(task.cancel))
    try:
        yield
    except asyncio.CancelledError:
        if not gone:
            raise
        task.uncancel()
        raise ClientGone from None
    finally:
        watcher.cancel()
