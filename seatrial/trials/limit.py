"""How long a trial may take: 1.5 times its time, and then it is stopped, with what it has seen.

Its time is what it takes on the reference service, or, for a slower service, the time in which the service was
served: pods came up or went within what the contract gives them, a planned moment was waited for, or requests were
answered. Waiting for answers that do not come is nobody's time: a service that hangs has no more of it than any other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from seatrial.errors import SeatrialError

FACTOR = 1.5  # times its time


class TrialStopped(SeatrialError):
    """A trial was stopped at its limit. `seen` is what its sandbox had seen by then, once that is gathered."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.seen: dict[str, Any] = {}


class TimeLimit:
    """The limit of one run of one trial, from its making on. Safe to use from several threads.

    `lasts_s` is what the trial takes on the reference service; `now` reads a clock, in seconds.
    """

    def __init__(self, lasts_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._lasts_s = lasts_s
        self._now = now
        self._began_s = now()
        self._served_s = 0.0
        self._granting = 0  # how many are being served now: time counts once, however many there are
        self._granted_s = 0.0  # since when
        self._lock = threading.RLock()
        self._expired = threading.Event()

    @property
    def time_s(self) -> float:
        """What the trial may be expected to take, as far as it is known by now."""
        with self._lock:
            served_s = self._served_s + (self._now() - self._granted_s if self._granting else 0.0)
            return max(self._lasts_s, served_s)

    def left_s(self) -> float:
        """How long it may still take; 0 when it is over."""
        if self._expired.is_set():
            return 0.0
        return max(0.0, self._began_s + FACTOR * self.time_s - self._now())

    @contextmanager
    def granted(self) -> Iterator[None]:
        """Whatever is waited for here has a bound of its own, and is the service's time."""
        with self._lock:
            if not self._granting:
                self._granted_s = self._now()
            self._granting += 1
        try:
            yield
        finally:
            with self._lock:
                self._granting -= 1
                if not self._granting:
                    self._served_s += self._now() - self._granted_s

    def served(self, for_s: float) -> None:
        """The service was answering for so long."""
        with self._lock:
            self._served_s += for_s

    def check(self, doing: str) -> None:
        """Raises TrialStopped, saying what was being done, when the time is over, or was for another thread."""
        if self.left_s() > 0:
            return
        self._expired.set()
        took_s = self._now() - self._began_s
        raise TrialStopped(f"stopped after {took_s:.0f} s, {FACTOR:g} times the {self.time_s:.0f} s it takes: {doing}")

    def sleep(self, for_s: float) -> None:
        """Wait for a planned moment; raises TrialStopped at once when another thread's trial is stopped."""
        with self.granted():
            expired = self._expired.wait(max(0.0, for_s))
        if expired:
            self.check("waiting for the next step")
