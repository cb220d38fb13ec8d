"""Identical requests in flight share one computation; what it gives, result or error, goes to all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

LINGER_S = 0.05  # callers that were already on their way when it ended; not a cache


@dataclass(slots=True)
class Shared:
    task: asyncio.Task[bytes]
    callers: int = 0


class Coalescer:
    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.shared: dict[Hashable, Shared] = {}

    async def run(self, key: Hashable, compute: Callable[[], Awaitable[bytes]]) -> bytes:
        """The answer to `key`. One caller that goes away leaves the computation to the others."""
        if not self.enabled:
            return await compute()
        entry = self.shared.get(key)
        if entry is None:
            entry = self.shared[key] = Shared(asyncio.create_task(_awaited(compute)))
            entry.task.add_done_callback(lambda task: self._ended(key, task))
        entry.callers += 1
        try:
            return await asyncio.shield(entry.task)
        except asyncio.CancelledError:
            if entry.callers == 1 and not entry.task.done():
                entry.task.cancel()
                self.shared.pop(key, None)
            raise
        finally:
            entry.callers -= 1

    def _ended(self, key: Hashable, task: asyncio.Task[bytes]) -> None:
        if not task.cancelled():
            task.exception()  # seen, even when every caller has gone
        asyncio.get_running_loop().call_later(LINGER_S, self._forget, key, task)

    def _forget(self, key: Hashable, task: asyncio.Task[bytes]) -> None:
        entry = self.shared.get(key)
        if entry is not None and entry.task is task:
            del self.shared[key]


async def _awaited(compute: Callable[[], Awaitable[bytes]]) -> bytes:
    return await compute()
