"""Runs: several loads together, their ledger, and whether the generator itself kept up."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence

import numpy as np

from seatrial.observation import Ledger, joined
from seatrial.traffic.alarm import Alarm
from seatrial.traffic.plan import Load
from seatrial.traffic.route import Route
from seatrial.traffic.stream import Stream
from seatrial.traffic.streams import stream

_LOOP_PROBE_S = 0.02


class Engine:
    """The runs of one process; all of them share its event loop and its alarm."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop)
        self._active = 0

    async def start(self, loads: Sequence[Load], origin_s: float, start_s: float | None = None) -> Run:
        """Resolve every target, then begin: ledger times count from origin_s, the loads' from start_s if given.

        Raises OSError or ValueError for a target that cannot be resolved.
        """
        routes = [Route(load.target) for load in loads]
        try:
            await asyncio.gather(*(route.prepare() for route in routes))
        except BaseException:
            for route in routes:
                route.close()
            raise
        streams = [
            stream(load, origin_s if start_s is None else start_s, route, self._alarm, self._loop)
            for load, route in zip(loads, routes, strict=True)
        ]
        self._quiet_collector()
        run = Run(streams, origin_s)
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

    def __init__(self, streams: Sequence[Stream], origin_s: float) -> None:
        self.streams = streams
        self.loop_lag_max_s = 0.0
        self.began_cpu_s = time.process_time()
        self.ended_cpu_s: float | None = None
        self.finished: asyncio.Task[None]
        self._origin_s = origin_s
        self._told = [0] * len(streams)

    def stop(self) -> None:
        """Send nothing more; what is open finishes."""
        for one in self.streams:
            one.stop()

    def ledger(self) -> Ledger:
        """Every attempt that has ended so far, times on the run's clock."""
        return joined(one.ended_rows.ledger(self._origin_s) for one in self.streams)

    def fresh(self) -> tuple[Ledger, bool]:
        """The attempts that have ended since the last call, and whether that was all of them."""
        finished = self.finished.done()
        parts = [
            one.ended_rows.ledger(self._origin_s, told) for one, told in zip(self.streams, self._told, strict=True)
        ]
        self._told = [len(one.ended_rows) for one in self.streams]
        return joined(parts), finished

    async def probe_loop(self) -> None:
        """Measure how late the event loop gets to anything, as long as the run lasts."""
        while True:
            asked_s = time.monotonic()
            await asyncio.sleep(_LOOP_PROBE_S)
            self.loop_lag_max_s = max(self.loop_lag_max_s, time.monotonic() - asked_s - _LOOP_PROBE_S)


def health(runs: Sequence[Run]) -> dict[str, float]:
    """Counts and lags of these runs together so far, named as in observation.GeneratorHealth."""
    streams = [one for run in runs for one in run.streams]
    lags_s = np.concatenate([np.empty(0), *(np.array(one.lags_s) for one in streams)])
    scheduled = sum(one.scheduled for one in streams)
    unsent = sum(one.unsent for one in streams)
    now_s = time.process_time()
    ends_s = [now_s if run.ended_cpu_s is None else run.ended_cpu_s for run in runs]
    due_s = np.concatenate([np.empty(0), *(one.ended_rows.column("scheduled_s") for one in streams)])
    return {
        "scheduled": scheduled,
        "sent": scheduled - unsent,
        "start_lag_p99_s": float(np.quantile(lags_s, 0.99, method="inverted_cdf")) if len(lags_s) else 0.0,
        "start_lag_max_s": float(lags_s.max()) if len(lags_s) else 0.0,
        "loop_lag_max_s": max((run.loop_lag_max_s for run in runs), default=0.0),
        "cpu_s": max(ends_s) - min(run.began_cpu_s for run in runs) if runs else 0.0,
        "planned_s": float(due_s.max() - due_s.min()) if len(due_s) else 0.0,
    }
