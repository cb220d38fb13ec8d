"""How a controller runs: told of a change, it brings one object after the other to where it should be.

There is no polling: a key is looked at when something it depends on changed, or at a time it asked for.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable

from seatrial.clusters.local.controllers.objects import Key
from seatrial.clusters.local.store import Event, Store, StoreError, Subscription

log = logging.getLogger(__name__)

MANAGER = "kube-controller-manager"  # who owns the fields that controllers write
FIRST_RETRY_S = 0.005  # as client-go's rate limiter: doubled with each failure in a row
LAST_RETRY_S = 60.0


class Controller(ABC):
    """Subclasses say which changes concern which keys, and what to do about a key."""

    watches: tuple[str, ...]

    def __init__(self, store: Store) -> None:
        self.store = store
        self._due: dict[Key, None] = {}  # in the order they became due
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    def concerned(self, event: Event) -> Iterable[Key]:
        """The keys to look at after `event`."""

    @abstractmethod
    def reconcile(self, key: Key) -> float | None:
        """Bring one key to where it should be; the seconds until it must be looked at again, if ever.

        Runs to its end without another task in between. Raising StoreError means: try again later.
        """

    def look_later(self, key: Key, in_s: float) -> None:
        """Reconcile a key in `in_s` seconds, or sooner if that is already due."""
        if key not in self._timers:
            self._timers[key] = asyncio.get_running_loop().call_later(in_s, self._look_at, key)

    def start(self) -> None:
        """Begin, on the running loop."""
        self._subscription = self.store.subscribe(*self.watches)
        self._task = asyncio.get_running_loop().create_task(self._run(self._subscription), name=type(self).__name__)

    async def stop(self) -> None:
        """Cease; nothing is reconciled after it returns."""
        if self._subscription is not None:
            self._subscription.close()
        if self._task is not None:
            await self._task
        for timer in self._timers.values():
            timer.cancel()

    async def _run(self, subscription: Subscription) -> None:
        while not subscription.closed:
            await subscription.arrived()
            for event in subscription.take():
                self._due.update(dict.fromkeys(self.concerned(event)))
            while self._due and not subscription.closed:
                key = next(iter(self._due))
                del self._due[key]
                self._look_at(key)
            # The others' turn: what was written above must reach them before the next round.
            await asyncio.sleep(0)

    def _look_at(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        try:
            again_in_s = self.reconcile(key)
            self._failures.pop(key, None)
        except StoreError as refusal:
            again_in_s = self._retry_in_s(key)
            log.warning("reconcile_refused", extra={"controller": type(self).__name__, "key": key, "why": str(refusal)})
        except Exception:
            # One object that cannot be handled must not stop the others: it is told with its trace, and tried again.
            again_in_s = self._retry_in_s(key)
            log.exception("reconcile_failed", extra={"controller": type(self).__name__, "key": key})
        if again_in_s is not None:
            self._timers[key] = asyncio.get_running_loop().call_later(max(again_in_s, 0.0), self._look_at, key)

    def _retry_in_s(self, key: Key) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        return float(min(FIRST_RETRY_S * 2 ** min(failures - 1, 20), LAST_RETRY_S))
