"""Answers that reach the wrong caller, and failures that do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from openmed_service.batcher import Member
from openmed_service.engine import MarkedToFail, Outcome
from openmed_service.labels import Span
from openmed_service.schemas import AnalyzeRequest, ExtractRequest
from openmed_service.server import Server
from planting import Fired, fault, odd
from starlette.requests import Request

from ._hooks import Answer, around_answers

Rearranged = Callable[[list[Member], list[Outcome]], list[Outcome]]


class Foreign(list[Span]):
    """Spans with the text that they are of."""

    def __init__(self, spans: list[Span], text: str) -> None:
        super().__init__(spans)
        self.text = text


def _owned(member: Member, outcome: Outcome) -> Outcome:
    return outcome if isinstance(outcome, Exception) else Foreign(outcome, member.text)


def _delivering(server: Server, rearrange: Rearranged) -> None:
    """Let `rearrange` decide who of a batch gets what; an answer takes its text along."""
    batcher = server.service.batcher
    deliver = batcher.deliver

    def delivered(members: list[Member], outcomes: list[Outcome]) -> None:
        owned = [_owned(member, outcome) for member, outcome in zip(members, outcomes, strict=True)]
        deliver(members, rearrange(members, owned))

    batcher.deliver = delivered  # type: ignore[method-assign]
    for work in server.api.works.values():

        def body(
            call: ExtractRequest | AnalyzeRequest,
            spans: list[Span],
            elapsed_s: float,
            inner: Callable[..., bytes] = work.body,
        ) -> bytes:
            if isinstance(spans, Foreign):
                call = call.model_copy(update={"text": spans.text})
            return inner(call, spans, elapsed_s)

        work.body = body  # type: ignore[method-assign]


@fault("batch-shift-by-one", breaks={"B1"})
def batch_shift_by_one(server: Server, fired: Fired) -> None:
    """In a batch each caller gets its neighbour's answer."""

    def shifted(members: list[Member], outcomes: list[Outcome]) -> list[Outcome]:
        if len(outcomes) > 1:
            fired()
        return outcomes[1:] + outcomes[:1]

    _delivering(server, shifted)


@fault("batch-swap-equal-length", breaks={"B1"})
def batch_swap_equal_length(server: Server, fired: Fired) -> None:
    """In a batch two texts of one length change places: it is sorted by length, and put back by length."""

    def swapped(members: list[Member], outcomes: list[Outcome]) -> list[Outcome]:
        by_length: dict[int, list[int]] = {}
        for index, member in enumerate(members):
            by_length.setdefault(len(member.text), []).append(index)
        result = list(outcomes)
        for places in by_length.values():
            if len(places) > 1:
                fired()
                first, second = places[:2]
                result[first], result[second] = result[second], result[first]
        return result

    _delivering(server, swapped)


@fault("batch-swap-at-max-size", breaks={"B1"})
def batch_swap_at_max_size(server: Server, fired: Fired) -> None:
    """In a batch of the largest size the first and the last answer change places."""

    def swapped(members: list[Member], outcomes: list[Outcome]) -> list[Outcome]:
        if 1 < len(members) == server.service.batcher.max_size:
            fired()
            return [outcomes[-1], *outcomes[1:-1], outcomes[0]]
        return outcomes

    _delivering(server, swapped)


@fault("batch-last-duplicated", breaks={"B1"})
def batch_last_duplicated(server: Server, fired: Fired) -> None:
    """In a batch of three or more the last caller gets the answer of the one before."""

    def duplicated(members: list[Member], outcomes: list[Outcome]) -> list[Outcome]:
        if len(outcomes) < 3:
            return outcomes
        fired()
        return [*outcomes[:-1], outcomes[-2]]

    _delivering(server, duplicated)


@fault("response-race-global", breaks={"B1"})
def response_race_global(server: Server, fired: Fired) -> None:
    """All handlers keep their result in one variable for a moment, batching or not."""
    shared = b""
    for work in server.api.works.values():

        async def computed(call, inner=work.computed) -> bytes:  # type: ignore[no-untyped-def]
            nonlocal shared
            own: bytes = await inner(call)
            shared = own
            await asyncio.sleep(0.002)
            if shared is not own:
                fired()
            return shared

        work.computed = computed  # type: ignore[method-assign]


@fault("kept-connection-one-behind", breaks={"B1"})
def kept_connection_one_behind(server: Server, fired: Fired) -> None:
    """On a kept connection each request but the first gets the answer to the one before it."""
    last: dict[object, bytes] = {}

    async def wrap(inner: Answer, request: Request) -> bytes:
        own = await inner(request)
        before, last[request.client] = last.get(request.client), own
        if before is None:
            return own
        fired()
        return before

    around_answers(server, wrap)


@odd("batch-answers-out-of-order", spares={"B1"})
def batch_answers_out_of_order(server: Server, fired: Fired) -> None:
    """The members of a batch get their own answers, the last one first, a millisecond apart."""
    batcher = server.service.batcher
    deliver = batcher.deliver

    def reversed_delivery(members: list[Member], outcomes: list[Outcome]) -> None:
        loop = asyncio.get_running_loop()
        for place, (member, outcome) in enumerate(reversed(list(zip(members, outcomes, strict=True)))):
            if place:
                fired()
            loop.call_later(place / 1000, deliver, [member], [outcome])

    batcher.deliver = reversed_delivery  # type: ignore[method-assign]


def _poisoned(outcomes: list[Outcome]) -> list[int]:
    return [index for index, outcome in enumerate(outcomes) if isinstance(outcome, MarkedToFail)]


@fault("poison-fails-batch", breaks={"B5"})
def poison_fails_batch(server: Server, fired: Fired) -> None:
    """One text that fails takes its whole batch with it."""

    def failed(members: list[Member], outcomes: list[Outcome]) -> list[Outcome]:
        if not _poisoned(outcomes) or len(outcomes) == 1:
            return outcomes
        fired()
        return [MarkedToFail() for _ in outcomes]

    _delivering(server, failed)


@fault("poison-error-misplaced", breaks={"B5"})
def poison_error_misplaced(server: Server, fired: Fired) -> None:
    """The error of a text that fails reaches its neighbour in the batch, and the neighbour's answer its caller."""

    def misplaced(members: list[Member], outcomes: list[Outcome]) -> list[Outcome]:
        result = list(outcomes)
        for place in _poisoned(outcomes) if len(outcomes) > 1 else []:
            fired()
            other = (place + 1) % len(result)
            result[place], result[other] = result[other], result[place]
        return result

    _delivering(server, misplaced)


@fault("poison-neighbour-default", breaks={"B5"})
def poison_neighbour_default(server: Server, fired: Fired) -> None:
    """The neighbour of a text that fails gets an answer without entities."""

    def defaulted(members: list[Member], outcomes: list[Outcome]) -> list[Outcome]:
        result = list(outcomes)
        for place in _poisoned(outcomes) if len(outcomes) > 1 else []:
            other = (place + 1) % len(result)
            if not isinstance(result[other], Exception):
                fired()
                result[other] = []
        return result

    _delivering(server, defaulted)


@fault("poison-kills-worker", breaks={"B5"})
def poison_kills_worker(server: Server, fired: Fired) -> None:
    """A text that fails in a batch ends the process; alone it does not."""

    def killed(members: list[Member], outcomes: list[Outcome]) -> list[Outcome]:
        if _poisoned(outcomes) and len(outcomes) > 1:
            fired()
            os._exit(139)
        return outcomes

    _delivering(server, killed)


@fault("poison-last-position-only", breaks={"B5"})
def poison_last_position_only(server: Server, fired: Fired) -> None:
    """A text that fails takes its batch with it when it is the last of it."""

    def failed(members: list[Member], outcomes: list[Outcome]) -> list[Outcome]:
        if len(outcomes) < 2 or len(outcomes) - 1 not in _poisoned(outcomes):
            return outcomes
        fired()
        return [MarkedToFail() for _ in outcomes]

    _delivering(server, failed)
