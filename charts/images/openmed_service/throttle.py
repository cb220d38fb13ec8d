"""How much model-backed work one process lets in: a rate, and a number at once; each kept per key."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .errors import rate_limited, service_busy

MAX_KEYS = 10_000


def throttle_key(kind: str, headers: Mapping[str, str], peer: str) -> str:
    """Whom a request counts against; `kind` is global, x-forwarded-for or peer."""
    if kind == "global":
        return "global"
    forwarded = headers.get("x-forwarded-for", "") if kind == "x-forwarded-for" else ""
    return forwarded.partition(",")[0].strip() or peer


@dataclass(slots=True)
class Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """A token bucket per key: `burst` tokens at most, `rps` new ones each second; off when either is 0."""

    def __init__(self, rps: float, burst: float, key_by: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.rps = rps
        self.burst = burst
        self.key_by = key_by
        self.clock = clock
        self.buckets: dict[str, Bucket] = {}

    @property
    def on(self) -> bool:
        return self.rps > 0 and self.burst > 0

    def take(self, key: str) -> None:
        """Spend one token. Raises ApiError 429, which costs none."""
        if not self.on:
            return
        bucket = self._filled(key)
        # Refilling in steps adds up rounding errors; a whole token must not be missed for one.
        if bucket.tokens < 1 - 1e-9:
            raise rate_limited((1 - bucket.tokens) / self.rps, self.key_by)
        bucket.tokens -= 1

    def give_back(self, key: str) -> None:
        """For a request that was refused further on: refusals are free."""
        if self.on:
            bucket = self._filled(key)
            bucket.tokens = min(self.burst, bucket.tokens + 1)

    def _filled(self, key: str) -> Bucket:
        now = self.clock()
        bucket = self.buckets.get(key)
        if bucket is None:
            if len(self.buckets) >= MAX_KEYS:
                self._forget_full(now)
            bucket = self.buckets[key] = Bucket(self.burst, now)
        bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.filled_at) * self.rps)
        bucket.filled_at = now
        return bucket

    def _forget_full(self, now: float) -> None:
        # Only buckets that are full again: forgetting any other would give its key a second burst.
        full_after_s = self.burst / self.rps
        for key in [key for key, bucket in self.buckets.items() if now - bucket.filled_at >= full_after_s]:
            del self.buckets[key]


@dataclass(slots=True)
class Slots:
    taken: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class ConcurrencyGate:
    """At most `limit` at once per key, first come first served; off when 0. Others wait `wait_s`, then are refused."""

    def __init__(self, limit: int, wait_s: float, key_by: str) -> None:
        self.limit = limit
        self.wait_s = wait_s
        self.key_by = key_by
        self.slots: dict[str, Slots] = {}

    async def acquire(self, key: str) -> None:
        """Take a slot, to be released by the caller. Raises ApiError 503 service_busy."""
        if self.limit == 0:
            return
        slots = self.slots.setdefault(key, Slots())
        if slots.taken < self.limit:
            slots.taken += 1
            return
        if self.wait_s == 0:
            raise service_busy(self.limit, self.wait_s, self.key_by)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        slots.waiting.append(turn)
        try:
            await asyncio.wait([turn], timeout=self.wait_s)
        except asyncio.CancelledError:
            if turn.done():
                self.release(key)
            else:
                slots.waiting.remove(turn)
            raise
        if not turn.done():
            slots.waiting.remove(turn)
            raise service_busy(self.limit, self.wait_s, self.key_by)

    def release(self, key: str) -> None:
        """Hand the slot to whoever waits longest, else free it."""
        if self.limit == 0:
            return
        slots = self.slots[key]
        if slots.waiting:
            slots.waiting.popleft().set_result(None)
            return
        slots.taken -= 1
        if slots.taken == 0:
            del self.slots[key]
