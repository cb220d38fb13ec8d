"""A drain that takes less time, or more, than its budget."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from openmed_service.server import Server
from planting import Fired, fault

from ._hooks import Open, on_sigterm, reset_caller


def _budget(server: Server, fired: Fired, budget_s: float) -> None:
    server.settings = replace(server.settings, shutdown_drain_s=budget_s)
    cut = server.service.drain.cut

    async def reported() -> int:
        if server.service.drain.in_flight:
            fired()
        return await cut()

    server.service.drain.cut = reported  # type: ignore[method-assign]


@fault("drain-cap-1s", breaks={"D1"})
def drain_cap_1s(server: Server, fired: Fired) -> None:
    """What is in flight gets one second."""
    _budget(server, fired, min(1.0, server.settings.shutdown_drain_s))


@fault("drain-budget-halved", breaks={"D7"})
def drain_budget_halved(server: Server, fired: Fired) -> None:
    """What is in flight gets half of the time that was promised."""
    _budget(server, fired, server.settings.shutdown_drain_s / 2)


@fault("drain-keeps-a-second", breaks={"D7"})
def drain_keeps_a_second(server: Server, fired: Fired) -> None:
    """A second of the budget is kept for the exit: what is in flight gets the rest of it."""
    _budget(server, fired, server.settings.shutdown_drain_s - 1.0)


@fault("drain-cuts-by-age", breaks={"D7"})
def drain_cuts_by_age(server: Server, fired: Fired) -> None:
    """The budget of each request counts from its arrival: draining, those that are older than that are reset."""
    open_requests, budget_s = Open(server), server.settings.shutdown_drain_s

    async def cut() -> None:
        while True:
            for request, begun in list(open_requests.begun.items()):
                if time.monotonic() - begun >= budget_s:
                    fired()
                    reset_caller(request)
                    open_requests.begun.pop(request, None)
            await asyncio.sleep(0.02)

    cutting: list[asyncio.Task[None]] = []
    on_sigterm(server, lambda: cutting.append(asyncio.get_running_loop().create_task(cut())))


@fault("drain-budget-value-ignored", breaks={"D7"})
def drain_budget_value_ignored(server: Server, fired: Fired) -> None:
    """The budget is 6 s, whatever is configured."""
    if server.settings.shutdown_drain_s != 6.0:
        on_sigterm(server, fired)
    server.settings = replace(server.settings, shutdown_drain_s=6.0)


@fault("drain-without-a-budget", breaks={"D7"})
def drain_without_a_budget(server: Server, fired: Fired) -> None:
    """What was accepted is finished, however long it takes."""
    drain = server.service.drain

    def started() -> None:
        if drain.in_flight:
            fired()

    on_sigterm(server, started)
    server.settings = replace(server.settings, shutdown_drain_s=3600.0)
