"""Calls at exact times.

Event loops round their timers to whole milliseconds, and a spinning wait would take a core from the service
that is measured beside it. A timerfd wakes the loop within some ten microseconds and costs nothing meanwhile.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import itertools
import os
import time
from collections.abc import Callable

# So many are called, then the loop does what else there is to do: a generator that is behind still reads answers.
CALLS_A_TURN = 32
_MONOTONIC, _ABSOLUTE = 1, 1
_NEVER_S, _AT_ONCE_S = float("inf"), float("-inf")
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))
    seconds: int
    nanoseconds: int


class _Timer(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))
    value: _Timespec


class Alarm:
    """Calls functions at times of time.monotonic(), in order; needs Linux. Source: timerfd_create(2)."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._armed_s = _NEVER_S
        self._timer = _Timer()
        self._value, self._given = self._timer.value, ctypes.byref(self._timer)
        self._fd = _libc.timerfd_create(_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        loop.add_reader(self._fd, self._ring)

    def at(self, when_s: float, call: Callable[[], None]) -> None:
        """Call `call` at when_s, or as soon as possible if that has passed."""
        heapq.heappush(self._heap, (when_s, next(self._order), call))
        if when_s < self._armed_s:
            self._arm()

    def close(self) -> None:
        """Forget everything that was to be called."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._heap.clear()

    def _arm(self) -> None:
        if self._heap:
            self._armed_s = self._heap[0][0]
            # A value of zero would disarm the timer: a time that has passed is one nanosecond after boot.
            self._value.seconds, self._value.nanoseconds = divmod(max(1, int(self._armed_s * 1e9)), 1_000_000_000)
        else:
            self._armed_s = _NEVER_S
            self._value.seconds = self._value.nanoseconds = 0
        if _libc.timerfd_settime(self._fd, _ABSOLUTE, self._given, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def _ring(self) -> None:
        # Nothing is read: to set the timer takes its signal back, and until then the loop comes here in every turn.
        self._armed_s = _AT_ONCE_S
        try:
            for _ in range(CALLS_A_TURN):
                if not self._heap or self._heap[0][0] > time.monotonic():
                    break
                heapq.heappop(self._heap)[2]()
        finally:
            if not self._heap or self._heap[0][0] > time.monotonic():
                self._arm()
