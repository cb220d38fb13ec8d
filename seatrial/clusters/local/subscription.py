"""The changes of objects in the order they happened, for one reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]  # a Kubernetes object as JSON


@dataclass(frozen=True, slots=True)
class Event:
    """One change. `old` is the object before it, which a watch with a selector needs; None for ADDED."""

    type: str  # ADDED, MODIFIED or DELETED
    object: Obj
    old: Obj | None
    resource_version: int


class Subscription(AsyncIterator[Event]):
    """The events of some resources in the order they happened; ends after `close`.

    `limit` bounds the events waiting to be read: a reader that falls behind is closed (`overrun`), as a
    watch on a real API server is.
    """

    def __init__(self, waiting: Iterable[Event], limit: int | None, on_close: Callable[[Subscription], None]) -> None:
        self._on_close = on_close
        self._waiting = deque(waiting)
        self._limit = limit
        self._arrived = asyncio.Event()
        self.closed = False
        self.overrun = False

    def put(self, event: Event) -> None:
        """Queue an event; called by the Store."""
        self._waiting.append(event)
        if self._limit is not None and len(self._waiting) > self._limit:
            self.overrun = True
            self.close()
        self._arrived.set()

    def take(self) -> list[Event]:
        """Everything that waits, at once; empty when nothing does."""
        events = list(self._waiting)
        self._waiting.clear()
        return events

    async def arrived(self) -> None:
        """Return as soon as `take` has something to give, or the subscription is closed."""
        while not self._waiting and not self.closed:
            self._arrived.clear()
            await self._arrived.wait()

    def close(self) -> None:
        """Stop receiving; whoever iterates gets to the end. Harmless when repeated."""
        self.closed = True
        self._on_close(self)
        self._arrived.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        await self.arrived()
        if self.closed:
            raise StopAsyncIteration
        return self._waiting.popleft()
