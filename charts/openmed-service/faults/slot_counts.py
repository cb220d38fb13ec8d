"""Another number of slots than declared: from the start, after refusals, or once requests have failed."""

from __future__ import annotations

import asyncio
import time

from openmed_service.errors import ApiError, ClientGone
from openmed_service.server import Server
from openmed_service.throttle import Slots
from planting import Fired, fault, odd
from starlette.requests import Request

from ._hooks import Answer, around_answers, detached, on_reject

ASKED_FOR_S, RESTS_S, GIVEN_BACK_AFTER_S = 0.01, 20.0, 0.05


@fault("slot-counted-late", breaks={"L1"})
def slot_counted_late(server: Server, fired: Fired) -> None:
    """A slot is seen to be free, somebody is asked whether the caller may have it, and only then is it taken."""
    gate = server.service.gate
    acquire = gate.acquire

    async def asked_first(key: str) -> None:
        if gate.limit == 0 or gate.slots.setdefault(key, Slots()).taken >= gate.limit:
            await acquire(key)
            return
        await asyncio.sleep(ASKED_FOR_S)
        slots = gate.slots.setdefault(key, Slots())
        if slots.taken >= gate.limit:
            fired()
        slots.taken += 1

    gate.acquire = asked_first  # type: ignore[method-assign]


@fault("one-slot-too-many", breaks={"L1"})
def one_slot_too_many(server: Server, fired: Fired) -> None:
    """The last slot is given away while as many as the limit are taken."""
    gate = server.service.gate
    acquire, limit = gate.acquire, gate.limit

    async def reported(key: str) -> None:
        await acquire(key)
        if limit and gate.slots[key].taken > limit:
            fired()

    gate.limit = limit + 1 if limit else 0
    gate.acquire = reported  # type: ignore[method-assign]


@fault("slots-rest-after-refusals", breaks={"L1"})
def slots_rest_after_refusals(server: Server, fired: Fired) -> None:
    """After a refusal one slot is closed, to be on the safe side, until nobody was refused for 20 s."""
    gate, refused_s = server.service.gate, float("-inf")
    acquire, limit = gate.acquire, gate.limit

    async def note(request: Request, error: ApiError) -> bytes:
        nonlocal refused_s
        refused_s = time.monotonic()
        raise error

    async def carefully(key: str) -> None:
        rests = limit > 0 and time.monotonic() - refused_s < RESTS_S
        if rests:
            fired()
        gate.limit = max(1, limit - 1) if rests else limit
        await acquire(key)

    on_reject(server, note)
    gate.acquire = carefully  # type: ignore[method-assign]


@fault("slot-lost-on-error", breaks={"L1"})
def slot_lost_on_error(server: Server, fired: Fired) -> None:
    """A request that fails for a reason of the server's own keeps its slot."""

    async def wrap(inner: Answer, request: Request) -> bytes:
        try:
            return await inner(request)
        except (ApiError, ClientGone, asyncio.CancelledError):
            raise
        except Exception:
            _keep_one(server, fired)
            raise

    around_answers(server, wrap)


@fault("slot-lost-with-its-caller", breaks={"L1"})
def slot_lost_with_its_caller(server: Server, fired: Fired) -> None:
    """A request whose caller leaves before the answer keeps its slot."""

    async def wrap(inner: Answer, request: Request) -> bytes:
        try:
            return await inner(request)
        except ClientGone:
            _keep_one(server, fired)
            raise

    around_answers(server, wrap)


def _keep_one(server: Server, fired: Fired) -> None:
    gate = server.service.gate
    if gate.limit:
        fired()
        for slots in gate.slots.values() or [gate.slots.setdefault("global", Slots())]:
            slots.taken += 1


@odd("slot-given-back-late", spares={"L1"})
def slot_given_back_late(server: Server, fired: Fired) -> None:
    """A slot is given back 50 ms after its request has ended: the memory is cleared first."""
    gate = server.service.gate
    release = gate.release

    def later(key: str) -> None:
        fired()
        asyncio.get_running_loop().call_later(GIVEN_BACK_AFTER_S, release, key)

    gate.release = later  # type: ignore[method-assign]


@odd("works-on-for-nobody", spares={"L1"})
def works_on_for_nobody(server: Server, fired: Fired) -> None:
    """That a caller has left is not noticed: the work goes on to its end, in its slot."""

    async def wrap(inner: Answer, request: Request) -> bytes:
        body = await inner(await detached(request))
        if await request.is_disconnected():
            fired()
        return body

    around_answers(server, wrap)
