"""Connections without a request: opened, held for as long as the plan says, and closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np

from seatrial.ledger import UNJUDGED
from seatrial.traffic.connection import REFUSED, UNSENT, Connection
from seatrial.traffic.plan import Connects
from seatrial.traffic.recorder import NAN
from seatrial.traffic.stream import Stream


class ConnectStream(Stream):
    """Connections that are opened and closed."""

    def __init__(self, load: Connects, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        self._next = 0
        self._load = self.recorder.code(load.name)
        self._due_s: list[float] = (self._origin_s + np.asarray(load.arrivals_s, dtype=np.float64)).tolist()

    def start(self) -> None:
        for due_s in self._due_s:
            self._alarm.at(due_s, self._due)
        self._end_if_done()

    def _more_to_come(self) -> bool:
        return self._next < len(self._due_s)

    def _due(self) -> None:
        if self.stopped:
            return
        due_s = self._due_s[self._next]
        self._next += 1
        self.recorder.lag_s.append(time.monotonic() - due_s)
        self.scheduled += 1
        self._open += 1
        connection = self._connection()
        connect = Connect(self._loop, connection, due_s, self._plan, self._ended)
        if connection is None:
            self._loop.call_soon(connect.lost, REFUSED)
        else:
            connection.open(connect)

    def _ended(self, connect: Connect) -> None:
        self._open -= 1
        self.unsent += connect.error == UNSENT
        code, connection = self.recorder.code, connect.connection
        target, pod = (0, 0) if connection is None else connection.codes
        self.recorder.add(
            connect.scheduled_s, NAN if connect.error == UNSENT else connect.sent_s, connect.connected_s, NAN, NAN,
            connect.ended_s, 0, -1 if connection is None else connection.number, 0, len(self.recorder.event_s),
            self._load, 0, target, pod, 0, code(connect.error), UNJUDGED,
            0 if connection is None else connection.local_port, 0, 0, -1, -1, 0,
        )  # fmt: skip
        self._end_if_done()


class Connect:
    """A connection that is closed once it is open and was held for as long as the plan says."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: Connection | None,
        scheduled_s: float,
        plan: Connects,
        on_end: Callable[[Connect], None],
    ) -> None:
        self.connection = connection
        self.scheduled_s = scheduled_s
        self.sent_s = time.monotonic()
        self.connected_s = self.ended_s = NAN
        self.error = ""
        self._loop, self._hold_s, self._on_end = loop, plan.hold_s, on_end
        self._limit = loop.call_later(plan.timeout_s, self.lost, "timeout")

    def opened(self) -> None:
        self.connected_s = time.monotonic()
        if self._hold_s:
            self._limit.cancel()
            self._limit = self._loop.call_later(self._hold_s, self.lost, "")
        else:
            self.lost("")

    def drained(self) -> None: ...

    def received(self, data: bytes) -> None: ...

    def lost(self, kind: str) -> None:
        self._limit.cancel()
        if self.connection is not None:
            self.connection.close()
        self.error, self.ended_s = kind, time.monotonic()
        self._on_end(self)
