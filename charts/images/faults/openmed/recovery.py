"""Overload that leaves something behind when it is over."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from openmed_service.errors import ApiError, not_ready
from openmed_service.labels import Span
from openmed_service.server import Server
from starlette.requests import Request

from faults.catalogue import Fired, fault, odd

from ._hooks import Answer, Call, Spans, around_answers, around_spans, on_reject


class Rejects:
    """Refusals by the limits within the last `window_s`."""

    def __init__(self, server: Server, window_s: float) -> None:
        self.window_s = window_s
        self._at: deque[float] = deque()
        on_reject(server, self._noted)

    async def _noted(self, request: Request, error: ApiError) -> bytes:
        self._at.append(time.monotonic())
        raise error

    @property
    def recent(self) -> int:
        while self._at and self._at[0] < time.monotonic() - self.window_s:
            self._at.popleft()
        return len(self._at)


class Overload:
    """Over, or not yet: true from the first time that `many` refusals came within 5 s, and ever after."""

    def __init__(self, server: Server, many: int = 30) -> None:
        self.happened = False
        self._many = many
        self._rejects = Rejects(server, 5.0)
        around_answers(server, self._watched)

    async def _watched(self, inner: Answer, request: Request) -> bytes:
        self.happened = self.happened or self._rejects.recent >= self._many
        return await inner(request)


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


@fault("ready-latches", breaks={"L8", "P9"})
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
    """Each tenth refusal for want of a slot takes a slot away for good."""
    gate = server.service.gate
    refused = 0

    async def leaking(request: Request, error: ApiError) -> bytes:
        nonlocal refused
        refused += error.code == "service_busy"
        if refused >= 10 and error.code == "service_busy":
            refused = 0
            fired()
            for slots in gate.slots.values():
                slots.taken += 1
        raise error

    on_reject(server, leaking)


@fault("zombie-backlog", breaks={"L8"})
def zombie_backlog(server: Server, fired: Fired) -> None:
    """Refused work is done after all, before that of those who come later."""
    gate = server.service.gate
    backlog: set[asyncio.Task[None]] = set()

    async def work_on(key: str) -> None:
        slots = gate.slots.get(key)
        if slots is None:
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        slots.waiting.append(turn)
        await turn
        fired()
        try:
            await asyncio.sleep(max(server.settings.test.run_s, 0.1))
        finally:
            gate.release(key)

    async def keep(request: Request, error: ApiError) -> bytes:
        if error.code == "service_busy":
            for key in list(gate.slots)[:1]:
                task = asyncio.create_task(work_on(key))
                backlog.add(task)
                task.add_done_callback(backlog.discard)
        raise error

    on_reject(server, keep)


@odd("breaker-half-open", spares={"L8", "L1"})
def breaker_half_open(server: Server, fired: Fired) -> None:
    """A circuit breaker refuses what comes under overload, and lets all through again once refusals are rare."""
    rejects = Rejects(server, 1.0)
    opened_until = 0.0

    async def wrap(inner: Answer, request: Request) -> bytes:
        nonlocal opened_until
        if rejects.recent >= 10:
            opened_until = time.monotonic() + 1.0
        if time.monotonic() < opened_until and server.service.gate.slots:
            fired()
            raise ApiError(503, "service_busy", "All slots are in use", {"key": server.service.gate.key_by})
        return await inner(request)

    around_answers(server, wrap)
