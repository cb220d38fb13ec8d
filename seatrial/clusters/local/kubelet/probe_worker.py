"""One probe of one run of a container: when it is made, and when enough of them agree.

Source: pkg/kubelet/prober/worker.go.
"""

import asyncio
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
    """Probes until `run` is cancelled, a startup probe has settled, or a liveness probe has failed."""

    def __init__(
        self,
        kind: ProbeKind,
        probe: Obj,
        attempt: Callable[[Obj, float], Awaitable[Outcome]],
        on_attempt: Callable[[ProbeKind, Outcome], None],
        on_settled: Callable[[ProbeKind, bool], None],
    ) -> None:
        self.kind = kind
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
        await asyncio.sleep(max(0.0, started_at_s + self._timing.delay_s - loop.time()))
        tick_s = loop.time()
        while True:
            self._now.clear()
            outcome = await self._attempt(self._probe, self._timing.timeout_s)
            self._on_attempt(self.kind, outcome)
            settled = self._thresholds.settled(outcome.ok)
            if settled is not None:
                self._on_settled(self.kind, settled)
                if self._finished(settled):
                    return
            tick_s = await self._next_tick(tick_s)

    def _finished(self, ok: bool) -> bool:
        return self.kind == "startup" or (self.kind == "liveness" and not ok)

    async def _next_tick(self, last_s: float) -> float:
        """Wait for it. A probe that outlasted a tick is followed at once; the ticks missed meanwhile are dropped."""
        now_s, period_s = asyncio.get_running_loop().time(), self._timing.period_s
        passed = int((now_s - last_s) // period_s)
        if passed:
            return last_s + passed * period_s
        try:
            async with asyncio.timeout_at(last_s + period_s):
                await self._now.wait()
        except TimeoutError:
            return last_s + period_s
        return last_s
