"""The loads of a plan at work, one stream each: what is sent when, never what came of it.

A stream ends when its last attempt has; every attempt ends, because each has a timeout. `stop` sends nothing
more and lets what is open finish.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable

from seatrial.traffic.alarm import Alarm
from seatrial.traffic.attempt import Attempt, Manner
from seatrial.traffic.connection import REFUSED, UNSENT, Connection
from seatrial.traffic.plan import ClosedLoop, Connects, Exchange, Load, Lone, OpenLoop
from seatrial.traffic.recorder import NAN, Row
from seatrial.traffic.route import Route

# A closed loop against a port where nobody listens would otherwise spin.
_PAUSE_AFTER_ERROR_S = 0.01


class Stream:
    """What all streams share; `rows` holds the ended attempts, `lags_s` how late each start was handled."""

    def __init__(self, load: Load, origin_s: float, route: Route, alarm: Alarm, loop: asyncio.AbstractEventLoop):
        self.load = load
        self.route = route
        self.rows: list[Row] = []
        self.lags_s: list[float] = []
        self.scheduled = 0
        self.ended = asyncio.Event()
        self.stopped = False
        self._origin_s = origin_s
        self._alarm = alarm
        self._loop = loop
        self._open = 0

    def start(self) -> None:
        """Begin to keep the schedule."""
        raise NotImplementedError

    def stop(self) -> None:
        """Send nothing more."""
        self.stopped = True
        self._end_if_done()

    def close(self) -> None:
        """Let go of what is kept open, once the stream has ended."""
        self.route.close()

    def _more_to_come(self) -> bool:
        raise NotImplementedError

    def _end_if_done(self) -> None:
        if not self._open and (self.stopped or not self._more_to_come()):
            self.ended.set()

    def _attempt(
        self,
        exchange: Exchange,
        manner: Manner,
        row: Row,
        connection: Connection | None,
        then: Callable[[Connection | None], None],
    ) -> None:
        """Make one attempt; `then` gets the connection if it can be used again."""

        def on_end(attempt: Attempt) -> None:
            self._open -= 1
            self.rows.append(attempt.row)
            then(used if manner.reuse and used is not None and used.is_open else None)
            self._end_if_done()

        self._open += 1
        attempt = Attempt(self._loop, exchange, manner, row, on_end)
        used = connection if connection is not None and connection.is_open else self.route.connection(self._loop)
        if used is None:
            attempt.refused()
        else:
            attempt.begin(used)


class OpenStream(Stream):
    """Attempts at their times, whatever became of those before."""

    def __init__(self, load: OpenLoop, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        self._next = 0
        self._manner = Manner(
            self.route.host, load.timeout_s, load.connection == "keep-alive", load.keep, load.body_pause_s,
            load.abandon_after_s,
        )  # fmt: skip
        self._waiting: deque[tuple[Exchange, Row]] = deque()
        self._kept: Connection | None = None
        self._busy = False

    def start(self) -> None:
        self._arm()

    def stop(self) -> None:
        self.scheduled -= len(self._waiting)
        self._waiting.clear()
        super().stop()

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
        super().close()

    def _more_to_come(self) -> bool:
        return self._next < len(self._plan.arrivals_s) or bool(self._waiting)

    def _arm(self) -> None:
        if self._next < len(self._plan.arrivals_s):
            self._alarm.at(self._origin_s + self._plan.arrivals_s[self._next], self._due)
        else:
            self._end_if_done()

    def _due(self) -> None:
        plan = self._plan
        while not self.stopped and self._next < len(plan.arrivals_s):
            due_s = self._origin_s + plan.arrivals_s[self._next]
            lag_s = time.monotonic() - due_s
            if lag_s < 0:
                break
            self.lags_s.append(lag_s)
            self.scheduled += 1
            number = self._next
            self._next += 1
            exchange = plan.exchanges[plan.picks[number] if plan.picks else 0]
            group = plan.groups[number] if plan.groups else 0
            self._send(exchange, Row(plan.stream, exchange.case, group=group, scheduled_s=due_s))
        if not self.stopped:
            self._arm()

    def _send(self, exchange: Exchange, row: Row) -> None:
        if not self._manner.reuse:
            self._attempt(exchange, self._manner, row, None, lambda _: None)
        elif self._busy:
            self._waiting.append((exchange, row))
        else:
            self._busy = True
            self._attempt(exchange, self._manner, row, self._kept, self._freed)

    def _freed(self, connection: Connection | None) -> None:
        self._kept, self._busy = connection, False
        if self._waiting:
            self._send(*self._waiting.popleft())


class SerialStream(Stream):
    """Clients that each wait for an answer before the next request."""

    def __init__(self, load: ClosedLoop | Lone, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        self._manner = Manner(self.route.host, load.timeout_s, load.connection == "keep-alive", load.keep)
        self._draw = random.Random(load.seed if isinstance(load, ClosedLoop) else 0)
        self._clients = load.concurrency if isinstance(load, ClosedLoop) else 1

    def start(self) -> None:
        for _ in range(self._clients):
            self._again_at(self._origin_s + self._plan.start_s, None)

    def _more_to_come(self) -> bool:
        if isinstance(self._plan, ClosedLoop):
            return time.monotonic() < self._origin_s + self._plan.end_s
        return self.scheduled < self._plan.count

    def _again_at(self, due_s: float, connection: Connection | None) -> None:
        self._open += 1  # a client that waits for its turn keeps the stream alive

        def due() -> None:
            self._open -= 1
            if self.stopped or not self._more_to_come():
                if connection is not None:
                    connection.close()
                self._end_if_done()
            else:
                self._send(due_s, connection)

        self._alarm.at(due_s, due)

    def _send(self, due_s: float, connection: Connection | None) -> None:
        self.lags_s.append(time.monotonic() - due_s)
        exchanges = self._plan.exchanges
        index = (
            self.scheduled % len(exchanges) if isinstance(self._plan, Lone) else self._draw.randrange(len(exchanges))
        )
        self.scheduled += 1
        row = Row(self._plan.stream, exchanges[index].case, scheduled_s=due_s)

        def then(kept: Connection | None) -> None:
            pause_s = self._plan.spacing_s if isinstance(self._plan, Lone) else 0.0
            if row.error in (REFUSED, UNSENT):
                pause_s = max(pause_s, _PAUSE_AFTER_ERROR_S)
            self._again_at(row.ended_s + pause_s, kept)

        self._attempt(exchanges[index], self._manner, row, connection, then)


class ConnectStream(Stream):
    """Connections that are opened and closed."""

    def __init__(self, load: Connects, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        self._next = 0

    def start(self) -> None:
        for arrival_s in self._plan.arrivals_s:
            self._alarm.at(self._origin_s + arrival_s, self._due)
        self._end_if_done()

    def _more_to_come(self) -> bool:
        return self._next < len(self._plan.arrivals_s)

    def _due(self) -> None:
        if self.stopped:
            return
        due_s = self._origin_s + self._plan.arrivals_s[self._next]
        self._next += 1
        self.lags_s.append(time.monotonic() - due_s)
        self.scheduled += 1
        self._open += 1
        row = Row(self._plan.stream, scheduled_s=due_s, sent_s=time.monotonic())
        connection = self.route.connection(self._loop)
        knock = Knock(self._loop, connection, row, self._plan.timeout_s, self._ended)
        if connection is None:
            self._loop.call_soon(knock.lost, REFUSED)
        else:
            connection.open(knock)

    def _ended(self, row: Row) -> None:
        self._open -= 1
        self.rows.append(row)
        self._end_if_done()


class Knock:
    """A connection that is closed as soon as it is open."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: Connection | None,
        row: Row,
        timeout_s: float,
        on_end: Callable[[Row], None],
    ) -> None:
        self._connection, self._row, self._on_end = connection, row, on_end
        self._limit = loop.call_later(timeout_s, self.lost, "timeout")
        if connection is not None:
            row.pod, row.target, row.connection = connection.pod, connection.target, connection.number

    def opened(self) -> None:
        assert self._connection is not None
        self._row.connected_s = time.monotonic()
        self._row.local_port = self._connection.local_port
        self.lost("")

    def drained(self) -> None: ...

    def received(self, data: bytes) -> None: ...

    def lost(self, kind: str) -> None:
        self._limit.cancel()
        if self._connection is not None:
            self._connection.close()
        self._row.error, self._row.ended_s = kind, time.monotonic()
        if kind == UNSENT:
            self._row.sent_s = NAN
        self._on_end(self._row)


def stream(load: Load, origin_s: float, route: Route, alarm: Alarm, loop: asyncio.AbstractEventLoop) -> Stream:
    """The stream that carries out one load; run-clock second 0 is origin_s on time.monotonic()."""
    if isinstance(load, OpenLoop):
        return OpenStream(load, origin_s, route, alarm, loop)
    if isinstance(load, Connects):
        return ConnectStream(load, origin_s, route, alarm, loop)
    return SerialStream(load, origin_s, route, alarm, loop)
