"""Batches of the wrong size, or none at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Sequence
from typing import Any

from openmed_service.batcher import Batch, Member
from openmed_service.catalogue import Model
from openmed_service.engine import MarkedToFail, Outcome
from openmed_service.rampart import Options
from openmed_service.server import Server
from planting import Fired, fault, odd

UNTOLD = {"metrics": {"batch_size": "", "model_runs": ""}}
# Enough of a run that does not grow with its texts: on a busy machine what each of them computes is no small part.
UNTOLD_60_MS = {
    "metrics": {"batch_size": "", "model_runs": ""},
    "batching": {"values": {"extraEnv": [{"name": "OPENMED_TEST_RUN_SECONDS", "value": "0.06"}]}},
}


@fault("batch-size-always-1", breaks={"B2"})
def batch_size_always_1(server: Server, fired: Fired) -> None:
    """Batching is on, and every batch is closed at its first member."""
    _sizes_reported(server, fired, above=0)
    server.service.batcher.max_size = 1


def _sizes_reported(server: Server, fired: Fired, above: int) -> None:
    engine = server.service.engine
    count = engine.count

    def counted(route: str, size: int) -> None:
        if size > above:
            fired()
        count(route, size)

    engine.count = counted  # type: ignore[method-assign]


@fault("batch-first-only", breaks={"B2"})
def batch_first_only(server: Server, fired: Fired) -> None:
    """Only the first batch after the start has more than one member."""
    batcher, count = server.service.batcher, server.service.engine.count

    def counted(route: str, size: int) -> None:
        if batcher.max_size == 1:
            fired()
        if size > 1:
            batcher.max_size = 1
        count(route, size)

    server.service.engine.count = counted  # type: ignore[method-assign]


@fault("batch-metric-faked", breaks={"B2"})
def batch_metric_faked(server: Server, fired: Fired) -> None:
    """The batch size that is reported is the largest allowed; each text is run by itself."""
    service = server.service
    batcher, engine = service.batcher, service.engine

    def counted(route: str, size: int) -> None:
        service.metrics.model_runs.labels(route).inc()

    async def execute(batch: Batch) -> None:
        fired()
        batcher.waiting(-len(batch.members))
        service.metrics.batch_size.labels(batch.route).observe(batcher.max_size)
        runs = (engine.run(batch.model, [member.text], batch.options, batch.route) for member in batch.members)
        outcomes: list[Outcome] = []
        for found in await asyncio.gather(*runs):
            outcomes += found
        batcher.deliver(batch.members, outcomes)

    engine.count = counted  # type: ignore[method-assign]
    batcher.execute = execute  # type: ignore[method-assign]


@fault("batch-per-connection", breaks={"B2"})
def batch_per_connection(server: Server, fired: Fired) -> None:
    """Only requests of one connection are put together, of which there is one at a time."""
    batcher = server.service.batcher
    plain = batcher.add

    def add(member: Member, model: Model, options: Options, route: str) -> None:
        plain(member, model, options, route)
        shared = (id(model), options, route)
        batch = batcher.open.pop(shared, None)
        if batch is None or batch.timer is None:
            return
        fired()
        batch.timer.cancel()
        own = (shared, id(member))
        batcher.open[own] = batch
        batch.timer = asyncio.get_running_loop().call_later(batcher.max_wait_s, batcher.close, own)

    batcher.add = add  # type: ignore[method-assign]


def _one_run_at_a_time(server: Server) -> None:
    """No run of the model begins before the last has ended, as on one accelerator."""
    engine, free = server.service.engine, asyncio.Lock()
    run = engine.run

    async def in_turn(model: Model, texts: Sequence[str], options: Options, route: str, **how: Any) -> list[Outcome]:
        async with free:
            return await run(model, texts, options, route, **how)

    engine.run = in_turn  # type: ignore[method-assign]


@fault("batch-runs-one-by-one", breaks={"B2"}, contract=UNTOLD)
def batch_runs_one_by_one(server: Server, fired: Fired) -> None:
    """A batch waits for company for the whole delay, four times what the model takes; then each text runs by itself."""
    _one_run_at_a_time(server)
    batcher = server.service.batcher

    async def execute(batch: Batch) -> None:
        batcher.waiting(-len(batch.members))
        for member in batch.members:
            fired()
            batcher.deliver([member], await batcher.engine.run(batch.model, [member.text], batch.options, batch.route))

    batcher.execute = execute  # type: ignore[method-assign]


@fault("batch-of-one-untold", breaks={"B2"}, contract=UNTOLD)
def batch_of_one_untold(server: Server, fired: Fired) -> None:
    """No request waits for company, and no metric tells: each runs by itself when the one before it has ended."""
    _one_run_at_a_time(server)
    _sizes_reported(server, fired, above=0)
    server.service.batcher.max_size = 1


@odd("batch-untold", spares={"B2"}, contract=UNTOLD_60_MS)
def batch_untold(server: Server, fired: Fired) -> None:
    """Batches as promised, one run of the model at a time; no metric tells, and the delay is longer than the work."""
    _one_run_at_a_time(server)
    _sizes_reported(server, fired, above=1)


@odd("batch-opportunistic-untold", spares={"B2"}, contract=UNTOLD_60_MS)
def batch_opportunistic_untold(server: Server, fired: Fired) -> None:
    """As batch-opportunistic, one run of the model at a time; no metric tells."""
    _one_run_at_a_time(server)
    batch_opportunistic(server, fired)


@fault("batch-off-by-one", breaks={"B3"})
def batch_off_by_one(server: Server, fired: Fired) -> None:
    """A batch is closed when it has one member more than allowed."""
    allowed = server.service.batcher.max_size
    server.service.batcher.max_size = allowed + 1
    _sizes_reported(server, fired, above=allowed)


@fault("batch-max-ignored", breaks={"B3"})
def batch_max_ignored(server: Server, fired: Fired) -> None:
    """The largest batch is 32, whatever is configured."""
    _sizes_reported(server, fired, above=server.service.batcher.max_size)
    server.service.batcher.max_size = 32


@fault("batch-size-even", breaks={"B3"})
def batch_size_even(server: Server, fired: Fired) -> None:
    """The model takes texts in pairs, so the largest batch is rounded up to an even number."""
    allowed = server.service.batcher.max_size
    server.service.batcher.max_size = allowed + allowed % 2
    _sizes_reported(server, fired, above=allowed)


@fault("batch-timer-merges-pending", breaks={"B3"})
def batch_timer_merges_pending(server: Server, fired: Fired) -> None:
    """A full batch is put aside until the timer, which runs all that has come by then as one."""
    batcher = server.service.batcher
    _sizes_reported(server, fired, above=batcher.max_size)
    batcher.max_size = 10**9


BLIND = (0.5, 0.55)  # of the wait


@fault("batch-uncounted-mid-wait", breaks={"B3"})
def batch_uncounted_mid_wait(server: Server, fired: Fired) -> None:
    """Half-way through its wait a batch is looked at, which takes 5 % of it; what joins just then is not counted."""
    batcher = server.service.batcher
    plain, allowed = batcher.add, batcher.max_size
    opened: dict[int, float] = {}

    def add(member: Member, model: Model, options: Options, route: str) -> None:
        key = (id(model), options, route)
        batch = batcher.open.get(key)
        now_s = time.monotonic()
        waited = (now_s - opened[id(batch)]) / batcher.max_wait_s if batch is not None and batcher.max_wait_s else 0.0
        if batch is not None and BLIND[0] <= waited < BLIND[1]:
            batch.members.append(member)
            batcher.waiting(+1)
            if len(batch.members) > allowed:
                fired()
            return
        plain(member, model, options, route)
        if batch is None and key in batcher.open:
            opened.clear()
            opened[id(batcher.open[key])] = now_s

    batcher.add = add  # type: ignore[method-assign]


@odd("batch-opportunistic", spares={"B2", "B4"})
def batch_opportunistic(server: Server, fired: Fired) -> None:
    """An idle engine takes a request at once; what comes while it works makes the next batch."""
    batcher = server.service.batcher
    plain, close, execute = batcher.add, batcher.close, batcher.execute
    running = 0

    def add(member: Member, model: Model, options: Options, route: str) -> None:
        plain(member, model, options, route)
        batch = batcher.open.get((id(model), options, route))
        if batch is not None and batch.timer is not None:
            batch.timer.cancel()
        close_all_when_idle()

    def close_all_when_idle() -> None:
        for key in list(batcher.open) if running == 0 else []:
            batcher.close(key)

    def closed(key: Hashable) -> None:
        nonlocal running
        running += 1
        close(key)

    async def executed(batch: Batch) -> None:
        nonlocal running
        fired()
        try:
            await execute(batch)
        finally:
            running -= 1
            close_all_when_idle()

    batcher.add = add  # type: ignore[method-assign]
    batcher.close = closed  # type: ignore[method-assign]
    batcher.execute = executed  # type: ignore[method-assign]


@odd("poison-bisect", spares={"B5"})
def poison_bisect(server: Server, fired: Fired) -> None:
    """A batch in which a text fails is run again in halves, until the failing text is alone."""
    engine, batcher = server.service.engine, server.service.batcher

    async def bisected(batch: Batch, texts: Sequence[str]) -> list[Outcome]:
        outcomes = await engine.run(batch.model, texts, batch.options, batch.route)
        if len(texts) == 1 or not any(isinstance(outcome, MarkedToFail) for outcome in outcomes):
            return outcomes
        fired()
        middle = len(texts) // 2
        return await bisected(batch, texts[:middle]) + await bisected(batch, texts[middle:])

    async def execute(batch: Batch) -> None:
        batcher.waiting(-len(batch.members))
        batcher.deliver(batch.members, await bisected(batch, [member.text for member in batch.members]))

    batcher.execute = execute  # type: ignore[method-assign]
