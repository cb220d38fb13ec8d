"""Under load the probes fail, or the memory does."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence

from openmed_service.app import Endpoint
from openmed_service.catalogue import Model
from openmed_service.engine import Outcome
from openmed_service.errors import ApiError, not_ready
from openmed_service.rampart import Options
from openmed_service.server import Server
from planting import Fired, fault, odd
from starlette.requests import Request
from starlette.responses import Response

from ._hooks import PROBES, Answer, Overload, around_answers, around_probe, on_reject, slots

KEPT_PER_REJECT = 4 * 2**20
MEMORY_LIMIT = 512 * 2**20
SATURATED_FOR_S = 2.0
SHEDS = {"probes": {"readiness_sheds_load": True}}


@fault("probe-shares-workers", breaks={"P5"})
def probe_shares_workers(server: Server, fired: Fired) -> None:
    """Probes wait their turn in the queue of the inference workers, which nothing bounds."""
    workers = asyncio.Semaphore(slots(server))

    async def inference(inner: Answer, request: Request) -> bytes:
        async with workers:
            return await inner(request)

    async def probe(inner: Endpoint, request: Request) -> Response:
        if workers.locked():
            fired()
        async with workers:
            return await inner(request)

    around_answers(server, inference)
    for path in PROBES:
        around_probe(server, path, probe)


@fault("sync-predict-blocks-loop", breaks={"P5"})
def sync_predict_blocks_loop(server: Server, fired: Fired) -> None:
    """The model runs on the event loop's own thread; nothing else is answered meanwhile, not even a refusal."""
    engine = server.service.engine
    server.service.gate.limit = 0

    async def run(
        model: Model,
        texts: Sequence[str],
        options: Options,
        route: str,
        *,
        wait_s: float | None = None,
        begun: Callable[[], None] = lambda: None,
    ) -> list[Outcome]:
        begun()
        fired()
        engine.count(route, len(texts))
        outcomes = engine.compute(model, texts, options, threading.Event())
        time.sleep(engine.extra_s(texts))
        return outcomes

    engine.run = run  # type: ignore[method-assign]


@fault("live-takes-engine-lock", breaks={"P5"})
def live_takes_engine_lock(server: Server, fired: Fired) -> None:
    """Liveness takes the engine's lock, which in an overload always goes to the next inference."""
    overload, drain = Overload(server), server.service.drain

    async def wrap(inner: Endpoint, request: Request) -> Response:
        while overload.lasts and drain.in_flight:
            fired()
            await asyncio.sleep(0.1)
        return await inner(request)

    around_probe(server, "/livez", wrap)


@fault("queue-grows-to-oom", breaks={"P5"})
def queue_grows_to_oom(server: Server, fired: Fired) -> None:
    """In an overload every refusal leaves 4 MiB behind; 512 MiB end the process with 137, where no limit does."""
    kept: list[bytes] = []
    overload = Overload(server)

    async def keep(request: Request, error: ApiError) -> bytes:
        if overload.lasts:
            fired()
            kept.append(os.urandom(1024) * (KEPT_PER_REJECT // 1024))
        if len(kept) * KEPT_PER_REJECT > MEMORY_LIMIT:
            os._exit(137)
        raise error

    on_reject(server, keep)


@fault("shed-for-good", breaks={"P5"}, contract=SHEDS)
def shed_for_good(server: Server, fired: Fired) -> None:
    """Readiness sheds load as declared, but what an overload has taken out of service stays out."""
    overload = Overload(server)
    _ready_unless(server, fired, lambda: overload.happened or overload.lasts)


@odd("shed-by-readiness", spares={"P5"}, contract=SHEDS)
def shed_by_readiness(server: Server, fired: Fired) -> None:
    """While requests are refused, and for 2 s after, readiness fails, so that other replicas are asked."""
    refused_s = float("-inf")

    async def note(request: Request, error: ApiError) -> bytes:
        nonlocal refused_s
        refused_s = time.monotonic()
        raise error

    on_reject(server, note)
    _ready_unless(server, fired, lambda: time.monotonic() - refused_s <= SATURATED_FOR_S)


def _ready_unless(server: Server, fired: Fired, saturated: Callable[[], bool]) -> None:
    probes = server.service.probes
    inner = probes.ready

    def ready() -> None:
        inner()
        if saturated():
            fired()
            raise not_ready()

    probes.ready = ready  # type: ignore[method-assign]
