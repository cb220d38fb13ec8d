"""Requests for the same model with the same options run together: one backend call, each its own answer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Hashable
from dataclasses import dataclass, field

from .catalogue import Model
from .engine import Engine, EngineBusy, Outcome
from .errors import ApiError
from .labels import Span
from .metrics import Metrics
from .rampart import Options
from .settings import QueueLimits


@dataclass(slots=True)
class Member:
    text: str
    answer: asyncio.Future[list[Span]]


@dataclass(slots=True)
class Batch:
    """Open until it is full or its time is up."""

    model: Model
    options: Options
    route: str
    members: list[Member] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Batcher:
    def __init__(
        self, engine: Engine, *, enabled: bool, max_size: int, max_wait_s: float, limits: QueueLimits, metrics: Metrics
    ) -> None:
        self.engine = engine
        self.enabled = enabled
        self.max_size = max_size
        self.max_wait_s = max_wait_s
        self.limits = limits
        self.metrics = metrics
        self.open: dict[Hashable, Batch] = {}
        self.depth = 0  # members whose run has not begun
        self.shedding = False
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, model: Model, text: str, options: Options, route: str) -> list[Span]:
        """Spans of one text. Raises ApiError 503 backpressure, or what this text alone ended with."""
        if not self.enabled:
            return await self.run_alone(model, text, options, route)
        self.admit()
        member = Member(text, asyncio.get_running_loop().create_future())
        self.add(member, model, options, route)
        return await member.answer

    async def run_alone(self, model: Model, text: str, options: Options, route: str) -> list[Span]:
        return only(await self.engine.run(model, [text], options, route))

    def admit(self) -> None:
        if self.depth >= self.limits.capacity:
            raise self.backpressure("saturated")
        self.shedding = self.depth >= (self.limits.low_watermark if self.shedding else self.limits.high_watermark)
        if self.shedding:
            raise self.backpressure("high_watermark")

    def add(self, member: Member, model: Model, options: Options, route: str) -> None:
        key = (id(model), options, route)
        batch = self.open.get(key)
        if batch is None:
            batch = self.open[key] = Batch(model, options, route)
            batch.timer = asyncio.get_running_loop().call_later(self.max_wait_s, self.close, key)
        batch.members.append(member)
        self.waiting(+1)
        if len(batch.members) >= self.max_size:
            self.close(key)

    def close(self, key: Hashable) -> None:
        batch = self.open.pop(key)
        if batch.timer:
            batch.timer.cancel()
        task = asyncio.create_task(self.execute(batch))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def execute(self, batch: Batch) -> None:
        # Those whose caller has gone leave before the run, so that nobody's answer moves.
        gone = [member for member in batch.members if member.answer.done()]
        members = [member for member in batch.members if not member.answer.done()]
        self.waiting(-len(gone))
        if not members:
            return
        texts = [member.text for member in members]
        waiting = len(members)

        def begun() -> None:
            nonlocal waiting
            self.waiting(-waiting)
            waiting = 0

        try:
            outcomes = await self.engine.run(
                batch.model, texts, batch.options, batch.route, wait_s=self.limits.max_wait_s, begun=begun
            )
        except EngineBusy:
            outcomes = [self.backpressure("max_wait") for _ in members]
        except Exception as error:  # noqa: BLE001 - every member must hear of it, whatever it was
            outcomes = [error for _ in members]
        finally:
            begun()
        self.deliver(members, outcomes)

    def deliver(self, members: list[Member], outcomes: list[Outcome]) -> None:
        for member, outcome in zip(members, outcomes, strict=True):
            if member.answer.done():
                continue
            if isinstance(outcome, Exception):
                member.answer.set_exception(outcome)
            else:
                member.answer.set_result(outcome)

    def waiting(self, change: int) -> None:
        self.depth += change
        self.metrics.queue_depth.set(self.depth)

    def backpressure(self, reason: str) -> ApiError:
        self.metrics.queue_shed.inc()
        retry_after_s = max(self.limits.max_wait_s, 0.001)
        details = {
            "priority": "normal",
            "queue": "batch",
            "queue_depth": self.depth,
            "queue_capacity": self.limits.capacity,
            "low_watermark": self.limits.low_watermark,
            "max_wait_ms": self.limits.max_wait_s * 1000,
            "retry_after_seconds": retry_after_s,
            "reason": reason,
        }
        headers = {"Retry-After": str(max(1, math.ceil(retry_after_s)))}
        return ApiError(503, "backpressure", "The batch queue is full", details, headers)


def only(outcomes: list[Outcome]) -> list[Span]:
    (outcome,) = outcomes
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
