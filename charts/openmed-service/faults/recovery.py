"""Overload that leaves something behind when it is over."""

from __future__ import annotations

import asyncio
import time

from openmed_service.errors import ApiError, not_ready
from openmed_service.labels import Span
from openmed_service.server import Server
from planting import Fired, fault, odd
from starlette.requests import Request

from ._hooks import Answer, Call, Overload, Spans, around_answers, around_spans, on_reject


@fault("breaker-latches", breaks={"L8"})
def breaker_latches(server: Server, fired: Fired) -> None:
    """A circuit breaker opens under overload and never closes again."""
    overload = Overload(server)

    async def wrap(inner: Answer, request: Request) -> bytes:
        if overload.happened:
            fired()
            raise not_ready()
        return await inner(request)

    around_answers(server, wrap)


@fault("ready-latches", breaks={"L8"})
def ready_latches(server: Server, fired: Fired) -> None:
    """Under overload readiness turns false, and stays so."""
    overload = Overload(server)
    ready = server.service.probes.ready

    def latched() -> None:
        ready()
        if overload.happened:
            fired()
            raise not_ready()

    server.service.probes.ready = latched  # type: ignore[method-assign]


@fault("memory-stays-swapped", breaks={"L8"})
def memory_stays_swapped(server: Server, fired: Fired) -> None:
    """After an overload every answer takes three times as long."""
    overload = Overload(server)

    async def wrap(inner: Spans, call: Call) -> list[Span]:
        started = time.monotonic()
        found = await inner(call)
        if overload.happened:
            fired()
            await asyncio.sleep(2 * (time.monotonic() - started))
        return found

    around_spans(server, wrap)


@fault("permits-leak", breaks={"L8"})
def permits_leak(server: Server, fired: Fired) -> None:
    """In an overload each refusal for want of a slot takes a slot away for good."""
    gate, overload = server.service.gate, Overload(server)

    async def leaking(request: Request, error: ApiError) -> bytes:
        if overload.lasts and error.code == "service_busy":
            fired()
            for slots in gate.slots.values():
                slots.taken += 1
        raise error

    on_reject(server, leaking)


@fault("zombie-backlog", breaks={"L8"})
def zombie_backlog(server: Server, fired: Fired) -> None:
    """What is refused in an overload is done after all, twice, before what comes later."""
    gate, overload = server.service.gate, Overload(server)
    backlog: set[asyncio.Task[None]] = set()

    async def work_on(key: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        gate.slots[key].waiting.append(turn)
        await turn
        fired()
        try:
            await asyncio.sleep(2 * max(server.settings.test.run_s, 0.1))
        finally:
            gate.release(key)

    async def keep(request: Request, error: ApiError) -> bytes:
        if overload.lasts and error.code == "service_busy" and gate.slots:
            task = asyncio.create_task(work_on(next(iter(gate.slots))))
            backlog.add(task)
            task.add_done_callback(backlog.discard)
        raise error

    on_reject(server, keep)


@odd("breaker-half-open", spares={"L8", "L1"})
def breaker_half_open(server: Server, fired: Fired) -> None:
    """In an overload a circuit breaker refuses everything for a second in each three, and closes once it is over."""
    overload = Overload(server)

    async def wrap(inner: Answer, request: Request) -> bytes:
        if overload.lasts and time.monotonic() % 3.0 < 1.0:
            fired()
            raise ApiError(503, "service_busy", "All slots are in use", {"key": server.service.gate.key_by})
        return await inner(request)

    around_answers(server, wrap)
