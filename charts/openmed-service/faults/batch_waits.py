"""Batches that wait too long: by a wrong unit, a timer that starts anew, or a clock that is coarse or asleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable

from openmed_service.batcher import Batch, Member
from openmed_service.catalogue import Model
from openmed_service.rampart import Options
from openmed_service.server import Server
from planting import Fired, fault


@fault("batch-delay-seconds-for-ms", breaks={"B4"})
def batch_delay_seconds_for_ms(server: Server, fired: Fired) -> None:
    """The wait is taken for seconds: five of them where five milliseconds are configured."""
    batcher = server.service.batcher
    plain, right_s = batcher.add, batcher.max_wait_s
    batcher.max_wait_s *= 1000

    def still_open(key: Hashable, batch: Batch) -> None:
        if batcher.open.get(key) is batch:
            fired()

    def add(member: Member, model: Model, options: Options, route: str) -> None:
        plain(member, model, options, route)
        key = (id(model), options, route)
        batch = batcher.open.get(key)
        if batch is not None and len(batch.members) == 1:
            asyncio.get_running_loop().call_later(right_s, still_open, key, batch)

    batcher.add = add  # type: ignore[method-assign]


def _timers_reported(server: Server, fired: Fired) -> None:
    """Report each batch that was not closed by being full."""
    batcher = server.service.batcher
    close = batcher.close

    def closed(key: Hashable) -> None:
        if len(batcher.open[key].members) < batcher.max_size:
            fired()
        close(key)

    batcher.close = closed  # type: ignore[method-assign]


@fault("batch-timer-restarts", breaks={"B4"})
def batch_timer_restarts(server: Server, fired: Fired) -> None:
    """Each arrival starts the wait of its batch again: a trickle waits until the batch is full."""
    batcher = server.service.batcher
    plain = batcher.add

    def add(member: Member, model: Model, options: Options, route: str) -> None:
        plain(member, model, options, route)
        key = (id(model), options, route)
        batch = batcher.open.get(key)
        if batch is None or len(batch.members) == 1 or batch.timer is None:
            return
        fired()
        batch.timer.cancel()
        batch.timer = asyncio.get_running_loop().call_later(batcher.max_wait_s, batcher.close, key)

    batcher.add = add  # type: ignore[method-assign]


@fault("batch-timer-extended-once", breaks={"B4"})
def batch_timer_extended_once(server: Server, fired: Fired) -> None:
    """The second member of a batch starts its wait again; further ones do not."""
    batcher = server.service.batcher
    plain = batcher.add

    def add(member: Member, model: Model, options: Options, route: str) -> None:
        plain(member, model, options, route)
        key = (id(model), options, route)
        batch = batcher.open.get(key)
        if batch is None or len(batch.members) != 2 or batch.timer is None:
            return
        fired()
        batch.timer.cancel()
        batch.timer = asyncio.get_running_loop().call_later(batcher.max_wait_s, batcher.close, key)

    batcher.add = add  # type: ignore[method-assign]


@fault("batch-waits-twice-after-another", breaks={"B4"})
def batch_waits_twice_after_another(server: Server, fired: Fired) -> None:
    """A batch that is opened within 100 ms after one was closed waits for twice the delay."""
    batcher = server.service.batcher
    plain, close, right_s = batcher.add, batcher.close, batcher.max_wait_s
    closed_s = float("-inf")

    def closed(key: Hashable) -> None:
        nonlocal closed_s
        closed_s = time.monotonic()
        close(key)

    def add(member: Member, model: Model, options: Options, route: str) -> None:
        if (id(model), options, route) not in batcher.open and time.monotonic() - closed_s < 0.1:
            fired()
            batcher.max_wait_s = 2 * right_s
        plain(member, model, options, route)
        batcher.max_wait_s = right_s

    batcher.close = closed  # type: ignore[method-assign]
    batcher.add = add  # type: ignore[method-assign]


@fault("batch-flush-on-next-only", breaks={"B4"})
def batch_flush_on_next_only(server: Server, fired: Fired) -> None:
    """Whether a batch has waited long enough is only looked at when the next request comes."""
    batcher = server.service.batcher
    plain = batcher.add
    due: dict[Hashable, float] = {}

    def add(member: Member, model: Model, options: Options, route: str) -> None:
        key = (id(model), options, route)
        if key in batcher.open and time.monotonic() >= due[key]:
            fired()
            batcher.close(key)
        plain(member, model, options, route)
        batch = batcher.open.get(key)
        if batch is not None and batch.timer is not None and len(batch.members) == 1:
            batch.timer.cancel()
            due[key] = time.monotonic() + batcher.max_wait_s

    batcher.add = add  # type: ignore[method-assign]


@fault("batch-tick-1s", breaks={"B4"})
def batch_tick_1s(server: Server, fired: Fired) -> None:
    """Batches are closed when the clock strikes a whole second."""
    batcher = server.service.batcher
    plain = batcher.add

    def add(member: Member, model: Model, options: Options, route: str) -> None:
        batcher.max_wait_s = 1.0 - time.monotonic() % 1.0
        plain(member, model, options, route)

    batcher.add = add  # type: ignore[method-assign]
    _timers_reported(server, fired)


ASLEEP_AFTER_S, WAKES_IN_S = 2.0, 0.35


@fault("batch-timer-sleeps", breaks={"B4"})
def batch_timer_sleeps(server: Server, fired: Fired) -> None:
    """What closes batches sleeps when none was closed for two seconds, and takes a third of a second to wake."""
    batcher = server.service.batcher
    plain, close, right_s = batcher.add, batcher.close, batcher.max_wait_s
    closed_s = time.monotonic()

    def closed(key: Hashable) -> None:
        nonlocal closed_s
        closed_s = time.monotonic()
        close(key)

    def add(member: Member, model: Model, options: Options, route: str) -> None:
        if not batcher.open and time.monotonic() - closed_s > ASLEEP_AFTER_S:
            fired()
            batcher.max_wait_s = right_s + WAKES_IN_S
        plain(member, model, options, route)
        batcher.max_wait_s = right_s

    batcher.close = closed  # type: ignore[method-assign]
    batcher.add = add  # type: ignore[method-assign]
