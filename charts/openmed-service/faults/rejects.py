"""Overload that is not refused, or refused in a way that no client can use."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable
from email.utils import formatdate

from openmed_service.errors import ApiError, ClientGone, internal_error, rate_limited
from openmed_service.server import Server
from planting import Fired, fault, odd
from starlette.requests import Request

from ._hooks import Answer, around_answers, on_reject, reset_caller


@fault("queue-unbounded", breaks={"L1", "L6"})
def queue_unbounded(server: Server, fired: Fired) -> None:
    """Nothing is ever refused: whatever the limits say, requests wait for as long as it takes."""
    server.service.gate.wait_s = 3600.0
    turn = asyncio.Lock()
    acquire = server.service.gate.acquire

    async def wait_for_slot(key: str) -> None:
        slots = server.service.gate.slots.get(key)
        if slots and slots.taken >= server.service.gate.limit > 0:
            fired()
        await acquire(key)

    async def wait_for_token(inner: Answer, request: Request) -> bytes:
        while True:
            try:
                return await inner(request)
            except ApiError as error:
                if error.code != "rate_limited":
                    raise
                fired()
                async with turn:
                    await asyncio.sleep(1 / server.service.rate.rps)

    server.service.gate.acquire = wait_for_slot  # type: ignore[method-assign]
    around_answers(server, wait_for_token)


@fault("reject-after-queue-wait", breaks={"L1"})
def reject_after_queue_wait(server: Server, fired: Fired) -> None:
    """A refusal comes after 10 s."""

    async def late(request: Request, error: ApiError) -> bytes:
        fired()
        await asyncio.sleep(10.0)
        raise error

    on_reject(server, late)


@fault("reject-resets", breaks={"L1"})
def reject_resets(server: Server, fired: Fired) -> None:
    """A refusal is a reset of the connection."""

    async def cut(request: Request, error: ApiError) -> bytes:
        fired()
        reset_caller(request)
        raise ClientGone

    on_reject(server, cut)


@fault("reject-500", breaks={"L1"})
def reject_500(server: Server, fired: Fired) -> None:
    """A refusal is an internal error."""

    async def wrong(request: Request, error: ApiError) -> bytes:
        fired()
        raise internal_error()

    on_reject(server, wrong)


@fault("reject-200-error-body", breaks={"L1"})
def reject_200_error_body(server: Server, fired: Fired) -> None:
    """A refusal has status 200; only its body says error."""

    async def polite(request: Request, error: ApiError) -> bytes:
        fired()
        return error.body()

    on_reject(server, polite)


@fault("reject-500-1-in-50", breaks={"L1"})
def reject_500_1_in_50(server: Server, fired: Fired) -> None:
    """One refusal in 50 is an internal error."""
    count = 0

    async def sometimes(request: Request, error: ApiError) -> bytes:
        nonlocal count
        count += 1
        if count % 50 == 0:
            fired()
            raise internal_error()
        raise error

    on_reject(server, sometimes)


@odd("reject-503", spares={"L1"})
def reject_503(server: Server, fired: Fired) -> None:
    """Every refusal has status 503."""

    async def other(request: Request, error: ApiError) -> bytes:
        fired()
        error.status = 503
        raise error

    on_reject(server, other)


@odd("reject-closes", spares={"L1"})
def reject_closes(server: Server, fired: Fired) -> None:
    """A refusal closes its connection."""

    async def closing(request: Request, error: ApiError) -> bytes:
        fired()
        error.headers["Connection"] = "close"
        raise error

    on_reject(server, closing)


def _retry_after(server: Server, fired: Fired, value: Callable[[float], str | None]) -> None:
    """`value`: from the honest time in seconds to the header's text, None for no header."""

    async def changed(request: Request, error: ApiError) -> bytes:
        if honest := error.headers.pop("Retry-After", None):
            text = value(float(error.details["retry_after_seconds"]))  # type: ignore[index]
            if text != honest:
                fired()
            if text is not None:
                error.headers["Retry-After"] = text
        raise error

    on_reject(server, changed)


@fault("retry-after-zero", breaks={"L2"})
def retry_after_zero(server: Server, fired: Fired) -> None:
    """Come back at once, it says, however long the wait."""
    _retry_after(server, fired, lambda wait_s: "0")


@fault("retry-after-milliseconds", breaks={"L2"})
def retry_after_milliseconds(server: Server, fired: Fired) -> None:
    """The time is given in milliseconds, which clients read as seconds."""
    _retry_after(server, fired, lambda wait_s: str(max(1, math.ceil(wait_s)) * 1000))


@fault("retry-after-3600", breaks={"L2"})
def retry_after_3600(server: Server, fired: Fired) -> None:
    """Come back in an hour, it says, however short the wait."""
    _retry_after(server, fired, lambda wait_s: "3600")


@fault("retry-after-past-date", breaks={"L2"})
def retry_after_past_date(server: Server, fired: Fired) -> None:
    """The header is a date, an hour ago."""
    _retry_after(server, fired, lambda wait_s: formatdate(time.time() - 3600, usegmt=True))


@fault("retry-after-missing", breaks={"L2"})
def retry_after_missing(server: Server, fired: Fired) -> None:
    """One refusal in five has no header."""
    counts = iter(range(10**12))

    def sometimes(wait_s: float) -> str | None:
        return None if next(counts) % 5 == 4 else str(max(1, math.ceil(wait_s)))

    _retry_after(server, fired, sometimes)


@fault("retry-after-constant", breaks={"L2"})
def retry_after_constant(server: Server, fired: Fired) -> None:
    """Come back in a second, it says, whatever the rate: true from one token a second on."""
    _retry_after(server, fired, lambda wait_s: "1")


@fault("retry-after-counts-down", breaks={"L2"})
def retry_after_counts_down(server: Server, fired: Fired) -> None:
    """Each refusal says a second less than the one before, however soon it follows."""
    said, last_s = 0, float("-inf")

    def less(wait_s: float) -> str:
        nonlocal said, last_s
        now_s = time.monotonic()
        said = max(1, said - 1 if now_s - last_s < 1.0 else math.ceil(wait_s))
        last_s = now_s
        return str(said)

    _retry_after(server, fired, less)


@fault("retry-after-per-request-reset", breaks={"L2"})
def retry_after_per_request_reset(server: Server, fired: Fired) -> None:
    """Each attempt of a caller that was refused starts the wait again, and the wait is longer than it says."""
    rate = server.service.rate
    take = rate.take
    barred_until: dict[str, float] = {}

    def restarting(key: str) -> None:
        now = rate.clock()
        try:
            if now < barred_until.get(key, 0.0):
                fired()
                raise rate_limited(1 / rate.rps, rate.key_by)
            take(key)
        except ApiError as error:
            barred_until[key] = now + int(error.headers["Retry-After"]) + 0.5
            raise

    rate.take = restarting  # type: ignore[method-assign]


@odd("retry-after-date", spares={"L2"})
def retry_after_date(server: Server, fired: Fired) -> None:
    """The header is a date, the first whole second at which a token is there."""
    _retry_after(server, fired, lambda wait_s: formatdate(math.ceil(time.time() + wait_s), usegmt=True))


@odd("retry-after-jitter", spares={"L2"})
def retry_after_jitter(server: Server, fired: Fired) -> None:
    """Up to a second is added at random, so that clients do not come back together."""
    _retry_after(server, fired, lambda wait_s: str(max(1, math.ceil(wait_s)) + random.randint(0, 1)))
