"""A drain that gives up requests it has accepted."""

from __future__ import annotations

import asyncio
import time

from openmed_service.errors import ClientGone, not_ready
from openmed_service.server import Server
from planting import Fired, fault, odd
from starlette.requests import Request

from ._hooks import Answer, Open, around_answers, on_sigterm, reset_caller


@fault("drain-drop-last-100ms", breaks={"D1"})
def drain_drop_last_100ms(server: Server, fired: Fired) -> None:
    """The connections of requests that came in the last 100 ms before SIGTERM, or in its very moment, are reset."""
    open_requests, drain = Open(server), server.service.drain

    def drop() -> None:
        for request, begun in list(open_requests.begun.items()):
            if begun > time.monotonic() - 0.1:
                fired()
                reset_caller(request)

    async def wrap(inner: Answer, request: Request) -> bytes:
        if drain.started and not drain.refusing:
            fired()
            reset_caller(request)
            raise ClientGone
        return await inner(request)

    on_sigterm(server, drop)
    around_answers(server, wrap)


@fault("drain-drops-queued", breaks={"D1"})
def drain_drops_queued(server: Server, fired: Fired) -> None:
    """Only the requests at the head of the queue, one per engine thread, are awaited; those behind are reset."""
    open_requests = Open(server)

    def drop() -> None:
        for request in list(open_requests.begun)[server.service.engine.threads :]:
            fired()
            reset_caller(request)

    on_sigterm(server, drop)


@fault("drain-drops-half-sent", breaks={"D1"})
def drain_drops_half_sent(server: Server, fired: Fired) -> None:
    """At SIGTERM the connections of requests whose body is still arriving are reset."""
    arriving: set[Request] = set()
    for work in server.api.works.values():

        async def admitted(request: Request, inner: Answer = work.admitted) -> bytes:
            arriving.add(request)
            try:
                await request.body()
            finally:
                arriving.discard(request)
            return await inner(request)

        work.admitted = admitted  # type: ignore[method-assign]

    def drop() -> None:
        for request in list(arriving):
            fired()
            reset_caller(request)

    on_sigterm(server, drop)


@fault("drain-drops-large-bodies", breaks={"D1"})
def drain_drops_large_bodies(server: Server, fired: Fired) -> None:
    """At SIGTERM the connections of requests with a body of more than 1 KiB are reset; smaller ones are finished."""
    open_requests = Open(server)

    def drop() -> None:
        for request in list(open_requests.begun):
            if int(request.headers.get("content-length", 0)) > 1024:
                fired()
                reset_caller(request)

    on_sigterm(server, drop)


@fault("drain-drops-deidentify", breaks={"D1"})
def drain_drops_deidentify(server: Server, fired: Fired) -> None:
    """At SIGTERM the connections of requests for /pii/deidentify are reset; all others are finished."""
    open_requests = Open(server)

    def drop() -> None:
        for request in list(open_requests.begun):
            if request.url.path == "/pii/deidentify":
                fired()
                reset_caller(request)

    on_sigterm(server, drop)


@fault("drain-awaits-extract-only", breaks={"D1"})
def drain_awaits_extract_only(server: Server, fired: Fired) -> None:
    """The process leaves when no request for /pii/extract is left; those for /pii/deidentify end with it."""
    drain, others = server.service.drain, server.api.works["/pii/deidentify"]
    inner, finished = others.admitted, drain.finished
    unawaited: set[Request] = set()

    async def admitted(request: Request) -> bytes:
        task = asyncio.current_task()
        assert task is not None
        drain.tasks.discard(task)
        unawaited.add(request)
        try:
            return await inner(request)
        finally:
            unawaited.discard(request)

    async def reported(budget_s: float, at_least_s: float) -> bool:
        is_over = await finished(budget_s, at_least_s)
        if unawaited:
            fired()
        return is_over

    others.admitted = admitted  # type: ignore[method-assign]
    drain.finished = reported  # type: ignore[method-assign]


@fault("drain-drops-assembling-batch", breaks={"D1"})
def drain_drops_assembling_batch(server: Server, fired: Fired) -> None:
    """At SIGTERM batches that are not yet closed are refused. They wait 250 ms at least, so that there are some."""
    batcher = server.service.batcher
    batcher.enabled = True
    batcher.max_wait_s = max(batcher.max_wait_s, 0.25)

    def drop() -> None:
        for batch in batcher.open.values():
            if batch.timer:
                batch.timer.cancel()
            batcher.waiting(-len(batch.members))
            for member in batch.members:
                fired()
                if not member.answer.done():
                    member.answer.set_exception(not_ready())
        batcher.open.clear()

    on_sigterm(server, drop)


@fault(
    "drain-drops-all-of-two",
    breaks={"D1"},
    contract={
        "limits": {"concurrency": {"limit": 2}},
        "values": {"config": {"throttle": {"maxConcurrency": 2, "concurrencyWaitSeconds": 0}}},
    },
)
def drain_drops_all_of_two(server: Server, fired: Fired) -> None:
    """The service takes two requests at once, and at SIGTERM resets both."""
    open_requests = Open(server)

    def drop() -> None:
        for request in list(open_requests.begun):
            fired()
            reset_caller(request)

    on_sigterm(server, drop)


@odd("http10-close", spares={"D1"})
def http10_close(server: Server, fired: Fired) -> None:
    """Every answer carries `Connection: close`, and the connection is closed."""

    def says_close() -> bool:
        fired()
        return True

    server.api.says_close = says_close  # type: ignore[method-assign]
