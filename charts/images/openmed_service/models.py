"""Which models are in memory: loaded on use, unloaded when idle for long or when others need the room."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from .catalogue import Model, resolve
from .logs import log
from .metrics import Metrics


@dataclass(slots=True)
class Resident:
    model: Model
    keep_alive_s: float
    active: int = 0
    last_used: float = field(default_factory=time.monotonic)
    expiry: asyncio.TimerHandle | None = None


class Models:
    """Loads each name once however many ask; never unloads a model that is in use."""

    def __init__(
        self,
        load: Callable[[str], Model],
        *,
        keep_alive_s: float,
        max_resident: int | None,
        extra_load_s: float,
        metrics: Metrics,
    ) -> None:
        self.load = load  # blocks: run in a thread
        self.keep_alive_s = keep_alive_s
        self.max_resident = max_resident
        self.extra_load_s = extra_load_s
        self.metrics = metrics
        self.resident: dict[str, Resident] = {}  # least recently used first
        self.warm: list[str] = []
        self._loading: dict[str, asyncio.Task[None]] = {}

    async def preload(self, names: tuple[str, ...]) -> None:
        """Load each name, in order. Raises UnknownModel or WeightsError."""
        for name in names:
            resolved = resolve(name)
            await self._ensure(resolved)
            entry = self.resident[resolved]
            self._schedule_expiry(resolved, entry)
            if resolved not in self.warm:
                self.warm.append(resolved)
        self._make_room()

    @asynccontextmanager
    async def use(self, name: str, keep_alive_s: float | None = None) -> AsyncIterator[Model]:
        """The loaded model, kept loaded until the block ends. Raises UnknownModel or WeightsError."""
        resolved = resolve(name)
        await self._ensure(resolved)
        entry = self.resident[resolved]
        entry.active += 1
        entry.keep_alive_s = self.keep_alive_s if keep_alive_s is None else keep_alive_s
        self._touch(resolved, entry)
        self._make_room()
        try:
            yield entry.model
        finally:
            entry.active -= 1
            if self.resident.get(resolved) is entry:
                self._touch(resolved, entry)
                self._make_room()
                self._schedule_expiry(resolved, entry)

    async def _ensure(self, name: str) -> None:
        # Again after waiting: another request may have unloaded it in the meantime.
        while name not in self.resident:
            if name not in self._loading:
                self._loading[name] = asyncio.create_task(self._load(name))
            # Shielded: a caller that goes away must not take the load from the others.
            await asyncio.shield(self._loading[name])

    async def _load(self, name: str) -> None:
        started = time.monotonic()
        try:
            if self.extra_load_s:
                await asyncio.sleep(self.extra_load_s)
            model = await asyncio.to_thread(self.load, name)
            self.resident[name] = Resident(model, self.keep_alive_s)
        finally:
            # Not in a callback of the task: between its end and that, waiting for it would not wait at all.
            del self._loading[name]
        self.metrics.model_loads.inc()
        log("model_loaded", model=name, duration_s=round(time.monotonic() - started, 3))

    def _touch(self, name: str, entry: Resident) -> None:
        entry.last_used = time.monotonic()
        if entry.expiry:
            entry.expiry.cancel()
            entry.expiry = None
        self.resident[name] = self.resident.pop(name)

    def _schedule_expiry(self, name: str, entry: Resident) -> None:
        if entry.active == 0 and math.isfinite(entry.keep_alive_s) and self.resident.get(name) is entry:
            loop = asyncio.get_running_loop()
            entry.expiry = loop.call_later(entry.keep_alive_s, self._expire, name, entry)

    def _expire(self, name: str, entry: Resident) -> None:
        if entry.active == 0 and self.resident.get(name) is entry:
            self._drop(name, "idle")

    def _make_room(self) -> None:
        while self.max_resident is not None and len(self.resident) > self.max_resident:
            idle = next((name for name, entry in self.resident.items() if entry.active == 0), None)
            if idle is None:
                return
            self._drop(idle, "room")
            self.metrics.model_evictions.inc()

    def _drop(self, name: str, reason: str) -> None:
        entry = self.resident.pop(name)
        if entry.expiry:
            entry.expiry.cancel()
        log("model_unloaded", model=name, reason=reason)

    def unload(self, name: str) -> tuple[bool, int, int]:
        """Whether it is out of memory by this call, how many requests hold it, how many were released."""
        entry = self.resident.get(resolve(name))
        if entry is None:
            return False, 0, 0
        if entry.active:
            return False, entry.active, 0
        self._drop(resolve(name), "asked")
        return True, 0, 1

    def unload_all(self) -> tuple[int, dict[str, int]]:
        """How many were released, and the requests that hold each of the others."""
        idle = [name for name, entry in self.resident.items() if entry.active == 0]
        for name in idle:
            self._drop(name, "asked")
        return len(idle), {name: entry.active for name, entry in self.resident.items()}

    def snapshot(self) -> dict[str, object]:
        now = time.monotonic()
        return {
            "default_keep_alive_seconds": _finite(self.keep_alive_s),
            "max_resident_models": self.max_resident,
            "warm_models": list(self.warm),
            "models": {
                name: {
                    "models": 1,
                    "tokenizers": 1,
                    "pipelines": 1,
                    "active_requests": entry.active,
                    "keep_alive_seconds_remaining": _finite(
                        math.inf if entry.active else max(0.0, entry.last_used + entry.keep_alive_s - now)
                    ),
                    "resident": True,
                }
                for name, entry in self.resident.items()
            },
        }


def _finite(seconds: float) -> float | None:
    return round(seconds, 3) if math.isfinite(seconds) else None
