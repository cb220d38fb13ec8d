"""The loads of a plan at work, one stream each: what is sent when, never what came of it.

A stream ends when its last attempt has; every attempt ends, because each has a timeout. `stop` sends nothing
more and lets what is open finish.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from array import array
from collections import deque
from collections.abc import Callable

from seatrial.traffic.alarm import Alarm
from seatrial.traffic.attempt import Attempt, Manner
from seatrial.traffic.connection import REFUSED, UNSENT, Connection
from seatrial.traffic.plan import ClosedLoop, Connects, Exchange, Load, Lone, OpenLoop, Poll
from seatrial.traffic.recorder import NAN, Recorder, Row
from seatrial.traffic.route import Route

# A closed loop against a port where nobody listens would otherwise spin.
_PAUSE_AFTER_ERROR_S = 0.01


class Stream:
    """What all streams share; `ended_rows` holds the ended attempts, `lags_s` how late each start was handled."""

    def __init__(self, load: Load, origin_s: float, route: Route, alarm: Alarm, loop: asyncio.AbstractEventLoop):
        self.load = load
        self.route = route
        self.ended_rows = Recorder()
        self.lags_s = array("d")
        self.scheduled = 0
        self.unsent = 0
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

    def _keep(self, row: Row) -> None:
        self.ended_rows.add(row)
        self.unsent += math.isnan(row.sent_s)

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
            self._keep(attempt.row)
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
        self._resting: dict[int, Connection | None] = {}  # clients that wait for their turn
        self._turns = itertools.count()
        self._clients = load.concurrency if isinstance(load, ClosedLoop) else 1

    def start(self) -> None:
        for _ in range(self._clients):
            self._again_at(self._origin_s + self._plan.start_s, None)

    def _more_to_come(self) -> bool:
        return bool(self._resting)

    def _has_more(self) -> bool:
        if isinstance(self._plan, ClosedLoop):
            return time.monotonic() < self._origin_s + self._plan.end_s
        return self.scheduled < self._plan.count

    def stop(self) -> None:
        for connection in self._resting.values():
            if connection is not None:
                connection.close()
        self._resting.clear()
        super().stop()

    def _again_at(self, due_s: float, connection: Connection | None) -> None:
        turn = next(self._turns)
        self._resting[turn] = connection

        def due() -> None:
            if turn not in self._resting:
                return
            del self._resting[turn]
            if self._has_more():
                self._send(due_s, connection)
            else:
                if connection is not None:
                    connection.close()
                self._end_if_done()

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
            if self.stopped:
                if kept is not None:
                    kept.close()
                return
            if isinstance(self._plan, ClosedLoop) and not 200 <= row.status < 300:
                pause_s = self._plan.pause_after_refusal_s
            if row.error in (REFUSED, UNSENT):
                pause_s = max(pause_s, _PAUSE_AFTER_ERROR_S)
            self._again_at(row.ended_s + pause_s, kept)

        self._attempt(exchanges[index], self._manner, row, connection, then)


class PollStream(Stream):
    """Probes at a fixed period, and cases from the first good one on."""

    def __init__(self, load: Poll, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        self._probe = Manner(self.route.host, load.timeout_s, reuse=False)
        self._case = Manner(self.route.host, load.cases_timeout_s, reuse=False)
        self._good = False
        self._cases_due = 0
        self._next_s = self._origin_s + load.start_s

    def start(self) -> None:
        self._alarm.at(self._next_s, self._due)

    def _more_to_come(self) -> bool:
        return self._next_s < self._origin_s + self._plan.end_s or self._cases_due > 0

    def _due(self) -> None:
        if self.stopped:
            return
        due_s, self._next_s = self._next_s, self._next_s + self._plan.period_s
        row = self._row(self._plan.stream, 0, due_s)

        def then(_: Connection | None) -> None:
            if 200 <= row.status < 300 and not row.error and not self._good:
                self._good = True
                self._cases_due = self._plan.cases_count
                now_s = time.monotonic()
                for number in range(self._plan.cases_count):
                    self._alarm.at(now_s + number * self._plan.cases_period_s, self._case_due(number, now_s))

        self._attempt(self._plan.exchanges[0], self._probe, row, None, then)
        if self._next_s < self._origin_s + self._plan.end_s:
            self._alarm.at(self._next_s, self._due)

    def _case_due(self, number: int, first_s: float) -> Callable[[], None]:
        def due() -> None:
            self._cases_due -= 1
            if self.stopped:
                return
            index = 1 + number % (len(self._plan.exchanges) - 1)
            row = self._row(self._plan.cases_stream, index, first_s + number * self._plan.cases_period_s)
            self._attempt(self._plan.exchanges[index], self._case, row, None, lambda _: None)

        return due

    def _row(self, stream: str, index: int, due_s: float) -> Row:
        self.lags_s.append(time.monotonic() - due_s)
        self.scheduled += 1
        return Row(stream, self._plan.exchanges[index].case, group=self._plan.group, scheduled_s=due_s)


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
        knock = Knock(self._loop, connection, row, self._plan, self._ended)
        if connection is None:
            self._loop.call_soon(knock.lost, REFUSED)
        else:
            connection.open(knock)

    def _ended(self, row: Row) -> None:
        self._open -= 1
        self._keep(row)
        self._end_if_done()


class Knock:
    """A connection that is closed once it is open and was held for as long as the plan says."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: Connection | None,
        row: Row,
        plan: Connects,
        on_end: Callable[[Row], None],
    ) -> None:
        self._loop, self._hold_s = loop, plan.hold_s
        self._connection, self._row, self._on_end = connection, row, on_end
        self._limit = loop.call_later(plan.timeout_s, self.lost, "timeout")
        if connection is not None:
            row.pod, row.target, row.connection = connection.pod, connection.target, connection.number

    def opened(self) -> None:
        assert self._connection is not None
        self._row.connected_s = time.monotonic()
        self._row.local_port = self._connection.local_port
        if self._hold_s:
            self._limit.cancel()
            self._limit = self._loop.call_later(self._hold_s, self.lost, "")
        else:
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
    if isinstance(load, Poll):
        return PollStream(load, origin_s, route, alarm, loop)
    return SerialStream(load, origin_s, route, alarm, loop)
