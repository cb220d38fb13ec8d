"""One probe of one run of a container: when it is made, and when enough of them agree.

Source: pkg/kubelet/prober/worker.go.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from seatrial.clusters.local.kubelet.actions import Outcome

Obj = dict[str, Any]
ProbeKind = Literal["startup", "readiness", "liveness"]


@dataclass(slots=True)
class Thresholds:
    """How many equal results in a row it takes."""

    success: int
    failure: int
    _last: bool | None = None
    _run: int = 0

    def settled(self, ok: bool) -> bool | None:
        """The result if it has now been seen often enough, else None."""
        self._run = self._run + 1 if ok == self._last else 1
        self._last = ok
        return ok if self._run >= (self.success if ok else self.failure) else None


@dataclass(frozen=True, slots=True)
class Timing:
    """A probe's times, with the API's defaults."""

    delay_s: float
    period_s: float
    timeout_s: float

    @classmethod
    def of(cls, probe: Obj) -> "Timing":
        return cls(
            delay_s=probe.get("initialDelaySeconds", 0),
            period_s=probe.get("periodSeconds") or 10,
            timeout_s=probe.get("timeoutSeconds") or 1,
        )


class ProbeWorker:
    """Ticks once a period, from `ticking_since_s` (when the pod came to the node, not when its container started).

    Probes until `run` is cancelled, a startup probe has settled, or a liveness probe has failed.
    """

    def __init__(
        self,
        kind: ProbeKind,
        probe: Obj,
        attempt: Callable[[Obj, float], Awaitable[Outcome]],
        on_attempt: Callable[[ProbeKind, Outcome], None],
        on_settled: Callable[[ProbeKind, bool], None],
        ticking_since_s: float,
    ) -> None:
        self.kind = kind
        self._ticking_since_s = ticking_since_s
        self._probe = probe
        self._timing = Timing.of(probe)
        self._thresholds = Thresholds(probe.get("successThreshold") or 1, probe.get("failureThreshold") or 3)
        self._attempt, self._on_attempt, self._on_settled = attempt, on_attempt, on_settled
        self._now = asyncio.Event()

    def trigger(self) -> None:
        """Probe now instead of at the next tick; what follows keeps to the ticks."""
        self._now.set()

    async def run(self, started_at_s: float) -> None:
        """Probe a container that started at `started_at_s` of the loop's clock."""
        loop = asyncio.get_running_loop()
        not_before_s = max(started_at_s + self._timing.delay_s, loop.time())
        await self._wait_until(self._tick_at(not_before_s), not_before_s)
        while True:
            self._now.clear()
            begun_s = loop.time()
            outcome = await self._attempt(self._probe, self._timing.timeout_s)
            self._on_attempt(self.kind, outcome)
            settled = self._thresholds.settled(outcome.ok)
            if settled is not None:
                self._on_settled(self.kind, settled)
                if self._finished(settled):
                    return
            # A probe that outlasted a tick is followed at once; the ticks missed meanwhile are dropped.
            await self._wait_until(self._tick_at(begun_s, later=True), not_before_s)

    def _finished(self, ok: bool) -> bool:
        return self.kind == "startup" or (self.kind == "liveness" and not ok)

    def _tick_at(self, moment_s: float, *, later: bool = False) -> float:
        """The first tick that is not before the moment, or is later."""
        passed = (moment_s - self._ticking_since_s) / self._timing.period_s
        whole = math.floor(passed) + 1 if later else math.ceil(passed)
        return self._ticking_since_s + whole * self._timing.period_s

    async def _wait_until(self, tick_s: float, not_before_s: float) -> None:
        """Or until it is triggered, once the initial delay is over."""
        delay_s = not_before_s - asyncio.get_running_loop().time()
        if delay_s > 0:
            await asyncio.sleep(delay_s)
            self._now.clear()
        try:
            async with asyncio.timeout_at(max(tick_s, not_before_s)):
                await self._now.wait()
        except TimeoutError:
            return
