"""Throughput that collapses under twice the load."""

from __future__ import annotations

import asyncio
import time

from openmed_service.errors import service_busy, timed_out
from openmed_service.labels import Span
from openmed_service.server import Server
from planting import Fired, fault, odd
from starlette.requests import Request

from ._hooks import Answer, Call, Spans, around_answers, around_spans, detached, slots


class Queue:
    """In place of the concurrency gate: the same number at once, and up to `places` in all, for as long as it takes."""

    def __init__(self, server: Server, places: int) -> None:
        self.at_once = slots(server)
        self.places = places
        self.inside = 0
        self._free = asyncio.Semaphore(self.at_once)
        self._gate = server.service.gate
        self._gate.limit = 0
        around_answers(server, self._queued)

    @property
    def beyond(self) -> bool:
        """More than four times as many as can be worked on."""
        return self.inside > 4 * self.at_once

    async def _queued(self, inner: Answer, request: Request) -> bytes:
        if self.inside >= self.places:
            raise service_busy(self.at_once, self._gate.wait_s, self._gate.key_by)
        self.inside += 1
        try:
            async with self._free:
                return await inner(request)
        finally:
            self.inside -= 1


@fault("lock-convoy", breaks={"L6"})
def lock_convoy(server: Server, fired: Fired) -> None:
    """With more than four times as many requests as slots, everything takes three times as long."""
    queue = Queue(server, 10 * slots(server))

    async def wrap(inner: Spans, call: Call) -> list[Span]:
        crowded, started = queue.beyond, time.monotonic()
        found = await inner(call)
        if crowded:
            fired()
            await asyncio.sleep(2 * (time.monotonic() - started))
        return found

    around_spans(server, wrap)


@fault("internal-retries", breaks={"L6"})
def internal_retries(server: Server, fired: Fired) -> None:
    """With more than four times as many requests as slots, each is run three times: retries that nobody asked for."""
    queue = Queue(server, 10 * slots(server))

    async def wrap(inner: Spans, call: Call) -> list[Span]:
        for _ in range(2 if queue.beyond else 0):
            fired()
            await inner(call)
        return await inner(call)

    around_spans(server, wrap)


@fault("reject-costs-inference", breaks={"L6"})
def reject_costs_inference(server: Server, fired: Fired) -> None:
    """What comes when the queue is long is refused, but only after it has been worked on."""
    queue = Queue(server, 20 * slots(server))

    async def wrap(inner: Answer, request: Request) -> bytes:
        refuse = queue.inside >= 4 * queue.at_once
        body = await inner(request)
        if refuse:
            fired()
            raise service_busy(queue.at_once, 0.0, "global")
        return body

    around_answers(server, wrap)


@fault("timeouts-keep-computing", breaks={"L6"})
def timeouts_keep_computing(server: Server, fired: Fired) -> None:
    """Nothing is refused; after a time callers get 504, and their work is done all the same, before that of others."""
    timeout_s = max(1.0, 6 * server.settings.test.run_s)
    Queue(server, 10**9)
    running: set[asyncio.Task[bytes]] = set()

    async def wrap(inner: Answer, request: Request) -> bytes:
        task = asyncio.create_task(_to_the_end(inner, await detached(request)))
        running.add(task)
        task.add_done_callback(forget)
        await asyncio.wait([task], timeout=timeout_s)
        if not task.done():
            fired()
            raise timed_out(timeout_s)
        return task.result()

    def forget(task: asyncio.Task[bytes]) -> None:
        running.discard(task)
        if not task.cancelled():
            task.exception()

    around_answers(server, wrap)


async def _to_the_end(inner: Answer, request: Request) -> bytes:
    return await inner(request)


@odd("queue-lifo", spares={"L6"})
def queue_lifo(server: Server, fired: Fired) -> None:
    """Of those that wait for a slot, the last to come is the first to get one."""
    gate = server.service.gate
    release = gate.release

    def newest_first(key: str) -> None:
        if gate.limit and len(gate.slots[key].waiting) > 1:
            fired()
            gate.slots[key].waiting.rotate(1)
        release(key)

    gate.release = newest_first  # type: ignore[method-assign]
