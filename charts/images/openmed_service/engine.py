"""Runs a model over one text or a batch of texts, on a few threads beside the event loop."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from .catalogue import Model
from .labels import Span
from .metrics import Metrics
from .rampart import Options
from .settings import TestSwitches

Outcome = list[Span] | Exception


class EngineBusy(Exception):
    """No thread took the work up within the time it may wait."""


class MarkedToFail(Exception):
    """A trial asked for this text to fail."""


class Engine:
    """One call of `run` is one run of the model, however many texts it holds."""

    def __init__(self, test: TestSwitches, metrics: Metrics) -> None:
        self.test = test
        self.metrics = metrics
        self.threads = max(1, min(4, len(os.sched_getaffinity(0))))
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="engine")
        self._free = asyncio.Semaphore(self.threads)
        self._slow = re.compile(rf"\[\[{re.escape(test.slow_marker)} (\d+(?:\.\d+)?)\]\]") if test.slow_marker else None

    async def run(
        self,
        model: Model,
        texts: Sequence[str],
        options: Options,
        route: str,
        *,
        wait_s: float | None = None,
        begun: Callable[[], None] = lambda: None,
    ) -> list[Outcome]:
        """One outcome per text, in order; a text that cannot be worked on has its own exception.

        `begun` is called when a thread takes the work up; EngineBusy is raised when none does within `wait_s`.
        """
        try:
            async with asyncio.timeout(wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise EngineBusy from None
        stop = threading.Event()
        try:
            begun()
            self.count(route, len(texts))
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._executor, self.compute, model, texts, options, stop)
            # Waits for the thread also when cancelled: until it has stopped, its place is not free.
            outcomes = await _to_its_end(work, stop)
        finally:
            self._free.release()
        await asyncio.sleep(self.extra_s(texts))
        return outcomes

    def count(self, route: str, size: int) -> None:
        self.metrics.model_runs.labels(route).inc()
        self.metrics.batch_size.labels(route).observe(size)

    def compute(self, model: Model, texts: Sequence[str], options: Options, stop: threading.Event) -> list[Outcome]:
        _burn(self.test.burn_s)
        failing = [bool(self.test.fail_marker) and self.test.fail_marker in text for text in texts]
        able = [text for text, fails in zip(texts, failing, strict=True) if not fails]
        spans = iter(model.predict(able, options, stop))
        return [MarkedToFail() if fails else next(spans) for fails in failing]

    def extra_s(self, texts: Sequence[str]) -> float:
        """Time that trials asked for on top; a batch takes as long as its slowest text."""
        marked = [float(mark[1]) for text in texts for mark in self._slow.finditer(text)] if self._slow else []
        return self.test.run_s + max(marked, default=0.0)


async def _to_its_end(work: asyncio.Future[list[Outcome]], stop: threading.Event) -> list[Outcome]:
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # seen: what a stopped run says is of no interest
        raise


def _burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(500))
