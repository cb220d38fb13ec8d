"""Runs: several loads together, their ledger, and whether the generator itself kept up."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from seatrial.ledger import Floats, Ledger
from seatrial.traffic.alarm import Alarm
from seatrial.traffic.ledger_writer import LedgerWriter
from seatrial.traffic.order_statistics import quantiles
from seatrial.traffic.plan import Load
from seatrial.traffic.recorder import Recorder
from seatrial.traffic.route import Route
from seatrial.traffic.stream import Stream
from seatrial.traffic.streams import stream

_LOOP_PROBE_S = 0.02
_KEEP_EVERY_S = 2.0  # at most so much is lost of a ledger on disk when its generator is killed


class Engine:
    """The runs of one process; all of them share its event loop and its alarm."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop)
        self._active = 0

    async def start(
        self, loads: Sequence[Load], origin_s: float, start_s: float | None = None, file: Path | None = None
    ) -> Run:
        """Resolve every target, then begin: ledger times count from origin_s, the loads' from start_s if given.

        With a file, the ledger is kept there and not in memory. Raises OSError or ValueError for a target that cannot
        be resolved, or a file that cannot be written.
        """
        routes = [Route(load.target) for load in loads]
        try:
            await asyncio.gather(*(route.prepare() for route in routes))
            recorder = Recorder(None if file is None else LedgerWriter(file, origin_s))
        except BaseException:
            for route in routes:
                route.close()
            raise
        streams = [
            stream(load, origin_s if start_s is None else start_s, route, self._alarm, self._loop, recorder)
            for load, route in zip(loads, routes, strict=True)
        ]
        self._quiet_collector()
        run = Run(streams, recorder, origin_s)
        run.finished = self._loop.create_task(self._until_ended(run))
        for one in streams:
            one.start()
        return run

    def close(self) -> None:
        """Start nothing that is still due."""
        self._alarm.close()

    async def _until_ended(self, run: Run) -> None:
        probe = self._loop.create_task(run.probe_loop())
        await asyncio.gather(*(one.ended.wait() for one in run.streams))
        probe.cancel()
        run.ended_cpu_s = time.process_time()
        for one in run.streams:
            one.close()
        run.recorder.keep()
        await asyncio.to_thread(run.recorder.sink.close)
        self._active -= 1
        if not self._active:
            gc.enable()
            gc.unfreeze()

    def _quiet_collector(self) -> None:
        # A full collection stops the loop for longer than a start may lag; attempts leave no cycles behind.
        self._active += 1
        if self._active == 1:
            gc.collect()
            gc.freeze()
            gc.disable()


class Run:
    """Loads that were started together."""

    def __init__(self, streams: Sequence[Stream], recorder: Recorder, origin_s: float) -> None:
        self.streams = streams
        self.recorder = recorder
        self.loop_lag_max_s = 0.0
        self.began_cpu_s = time.process_time()
        self.ended_cpu_s: float | None = None
        self.finished: asyncio.Task[None]
        self._origin_s = origin_s
        self._told = 0

    def stop(self) -> None:
        """Send nothing more; what is open finishes."""
        for one in self.streams:
            one.stop()

    def ledger(self) -> Ledger:
        """Every attempt that has ended so far, times on the run's clock."""
        return self.recorder.ledger(self._origin_s)

    def fresh(self) -> tuple[Ledger, bool]:
        """The attempts that have ended since the last call, without headers and bodies; whether that was all."""
        finished = self.finished.done()
        told, self._told = self._told, len(self.recorder)
        return self.recorder.fresh(self._origin_s, told), finished

    async def probe_loop(self) -> None:
        """Measure how late the event loop gets to anything, as long as the run lasts; see that rows are kept."""
        kept_s = time.monotonic()
        while True:
            asked_s = time.monotonic()
            await asyncio.sleep(_LOOP_PROBE_S)
            now_s = time.monotonic()
            self.loop_lag_max_s = max(self.loop_lag_max_s, now_s - asked_s - _LOOP_PROBE_S)
            if now_s - kept_s >= _KEEP_EVERY_S:
                kept_s = now_s
                self.recorder.keep()
            if self.recorder.sink.failure is not None:
                self.stop()


def health(runs: Sequence[Run]) -> dict[str, float]:
    """Counts and lags of these runs together so far, named as in observation.GeneratorHealth."""
    streams = [one for run in runs for one in run.streams]

    def lags() -> Iterator[Floats]:
        for run in runs:
            with run.recorder.reading() as (parts, _):
                yield from (part.lag_s() for part in parts)

    p99_s, max_s = quantiles(lags, (0.99, 1.0)) or (0.0, 0.0)
    scheduled = sum(one.scheduled for one in streams)
    unsent = sum(one.unsent for one in streams)
    now_s = time.process_time()
    ends_s = [now_s if run.ended_cpu_s is None else run.ended_cpu_s for run in runs]
    due_s = [run.recorder.due_s for run in runs if len(run.recorder)]
    return {
        "scheduled": scheduled,
        "sent": scheduled - unsent,
        "start_lag_p99_s": p99_s,
        "start_lag_max_s": max_s,
        "loop_lag_max_s": max((run.loop_lag_max_s for run in runs), default=0.0),
        "cpu_s": max(ends_s) - min(run.began_cpu_s for run in runs) if runs else 0.0,
        "planned_s": max(last_s for _, last_s in due_s) - min(first_s for first_s, _ in due_s) if due_s else 0.0,
    }
