"""Whether the service takes work, and what it still owes: every model-backed request from its headers to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import not_ready
from .metrics import Metrics

SETTLE_S = 0.1  # requests that were in the socket's buffer when the signal came are older than the signal


class Drain:
    """Ready and accepting, then draining; never back."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.started = False
        self.refusing = False  # new model-backed work; SETTLE_S after `started`
        self.cut_off = False
        self.tasks: set[asyncio.Task[object]] = set()

    @property
    def in_flight(self) -> int:
        return len(self.tasks)

    def start(self) -> None:
        self.started = True
        asyncio.get_running_loop().call_later(SETTLE_S, self.refuse)

    def refuse(self) -> None:
        self.refusing = True

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """One request in flight. Raises ApiError 503 not_ready when draining, and when the drain cuts it off."""
        if self.refusing:
            raise not_ready()
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.metrics.inflight.inc()
        try:
            yield
        except asyncio.CancelledError:
            if not self.cut_off:
                raise
            task.uncancel()
            raise not_ready() from None
        finally:
            self.tasks.discard(task)
            self.metrics.inflight.dec()

    async def finished(self, budget_s: float, at_least_s: float) -> bool:
        """Wait until nothing is in flight, at least `at_least_s`, at most `budget_s`; False when work was left over."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            elapsed_s = loop.time() - begun
            if not self.tasks and elapsed_s >= at_least_s:
                return True
            if self.tasks and elapsed_s >= budget_s:
                return False
            await asyncio.sleep(0.02)

    async def cut(self) -> int:
        """End what is left, each with an error that says so; how many there were."""
        self.cut_off = True
        left = set(self.tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=1.0)
        return len(left)
