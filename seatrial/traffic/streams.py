"""The loads of a plan at work, one stream each: what is sent when, never what came of it.

A stream ends when its last attempt has; every attempt ends, because each has a timeout. `stop` sends nothing
more and lets what is open finish.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator

from seatrial.observation import UNJUDGED
from seatrial.traffic.alarm import Alarm
from seatrial.traffic.attempt import Attempt
from seatrial.traffic.connection import REFUSED, UNSENT, Connection
from seatrial.traffic.plan import ClosedLoop, Connects, Load, Lone, OpenLoop, Poll
from seatrial.traffic.reading import ReadingAttempt
from seatrial.traffic.recorder import NAN, Recorder
from seatrial.traffic.route import Route
from seatrial.traffic.sender import Manner, Prepared, Sender

# A closed loop against a port where nobody listens would otherwise spin.
_PAUSE_AFTER_ERROR_S = 0.01
_DRAWN_AT_ONCE = 1024


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

    def _end_if_done(self) -> None:
        if not self._open and (self.stopped or not self._more_to_come()):
            self.ended.set()

    def _attempt(
        self,
        sender: Sender,
        request: Prepared,
        scheduled_s: float,
        group: int,
        connection: Connection | None,
        then: Callable[[Attempt, Connection | None], None],
    ) -> None:
        """Make one attempt; `then` gets it, and the connection if that can be used again. It calls `_has_ended`."""
        self._open += 1
        if request.reader is None:
            attempt = Attempt(sender, request, scheduled_s, group, then)
        else:
            attempt = ReadingAttempt(sender, request, scheduled_s, group, then, request.reader())
        if connection is None or not connection.is_open:
            connection = self._connection()
        if connection is None:
            attempt.refused()
        else:
            attempt.begin(connection)

    def _connection(self) -> Connection | None:
        connection = self.route.connection(self._loop)
        if connection is not None:
            code = self.ended_rows.code
            connection.codes = (code(connection.target), code(connection.pod))
        return connection

    def _has_ended(self, attempt: Attempt) -> None:
        self._open -= 1
        if attempt.error == UNSENT:
            self.unsent += 1


class OpenStream(Stream):
    """Attempts at their times, whatever became of those before."""

    def __init__(self, load: OpenLoop, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        self._next = 0
        reuse = load.connection != "new"
        manner = Manner(self.route.host, load.timeout_s, reuse, load.keep, load.body_pause_s, load.abandon_after_s)
        self._sender = Sender(self._loop, manner, self.ended_rows)
        self._requests = self._sender.prepared(load.exchanges, load.stream)
        self._waiting: deque[tuple[Prepared, float, int]] = deque()
        self._idle: list[Connection] = []
        self._busy = False

    def start(self) -> None:
        self._arm()

    def stop(self) -> None:
        self.scheduled -= len(self._waiting)
        self._waiting.clear()
        super().stop()

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
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
            request = self._requests[plan.picks[number] if plan.picks else 0]
            self._send(request, due_s, plan.groups[number] if plan.groups else 0)
        if not self.stopped:
            self._arm()

    def _send(self, request: Prepared, due_s: float, group: int) -> None:
        if self._plan.connection != "keep-alive":
            self._attempt(self._sender, request, due_s, group, self._an_idle_one(), self._answered)
        elif self._busy:
            self._waiting.append((request, due_s, group))
        else:
            self._busy = True
            self._attempt(self._sender, request, due_s, group, self._an_idle_one(), self._freed)

    def _an_idle_one(self) -> Connection | None:
        while self._idle:
            if (connection := self._idle.pop()).is_open:  # the other side may have closed it meanwhile
                return connection
        return None

    def _answered(self, attempt: Attempt, connection: Connection | None) -> None:
        self._has_ended(attempt)
        if connection is not None:
            self._idle.append(connection)
        self._end_if_done()

    def _freed(self, attempt: Attempt, connection: Connection | None) -> None:
        self._busy = False
        self._answered(attempt, connection)
        if self._waiting:
            self._send(*self._waiting.popleft())


class SerialStream(Stream):
    """Clients that each wait for an answer before the next request."""

    def __init__(self, load: ClosedLoop | Lone, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        manner = Manner(self.route.host, load.timeout_s, load.connection == "keep-alive", load.keep)
        self._sender = Sender(self._loop, manner, self.ended_rows)
        requests = self._sender.prepared(load.exchanges, load.stream)
        self._resting: dict[int, Connection | None] = {}  # clients that wait for their turn
        self._turns = itertools.count()
        if isinstance(load, ClosedLoop):
            self._clients, self._most, self._end_s = load.concurrency, float("inf"), self._origin_s + load.end_s
            self._spacing_s, self._pause_after_refusal_s = 0.0, load.pause_after_refusal_s
            self._requests = _drawn(requests, load.seed)
        else:
            self._clients, self._most, self._end_s = 1, float(load.count), float("inf")
            self._spacing_s, self._pause_after_refusal_s = load.spacing_s, load.spacing_s
            self._requests = itertools.cycle(requests)

    def start(self) -> None:
        for _ in range(self._clients):
            self._again_at(self._origin_s + self._plan.start_s, None)

    def _more_to_come(self) -> bool:
        return bool(self._resting)

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
            if turn in self._resting:
                del self._resting[turn]
                self._send(due_s, connection)

        self._alarm.at(due_s, due)

    def _send(self, due_s: float, connection: Connection | None) -> None:
        now_s = time.monotonic()
        if now_s >= self._end_s or self.scheduled >= self._most:
            if connection is not None:
                connection.close()
            self._end_if_done()
            return
        self.lags_s.append(now_s - due_s)
        self.scheduled += 1
        self._attempt(self._sender, next(self._requests), due_s, 0, connection, self._answered)

    def _answered(self, attempt: Attempt, kept: Connection | None) -> None:
        self._has_ended(attempt)
        if self.stopped:
            if kept is not None:
                kept.close()
            self._end_if_done()
            return
        pause_s = self._spacing_s if 200 <= attempt.status < 300 else self._pause_after_refusal_s
        if attempt.error in (REFUSED, UNSENT):
            pause_s = max(pause_s, _PAUSE_AFTER_ERROR_S)
        if pause_s or kept is None:
            self._again_at(attempt.ended_s + pause_s, kept)
        else:
            self._send(attempt.ended_s, kept)


def _drawn(requests: list[Prepared], seed: int) -> Iterator[Prepared]:
    draw = random.Random(seed)
    while True:
        yield from draw.choices(requests, k=_DRAWN_AT_ONCE)


class PollStream(Stream):
    """Probes at a fixed period, and cases from the first good one on."""

    def __init__(self, load: Poll, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        self._probe = Sender(self._loop, Manner(self.route.host, load.timeout_s, reuse=False), self.ended_rows)
        self._case = Sender(self._loop, Manner(self.route.host, load.cases_timeout_s, reuse=False), self.ended_rows)
        self._probes = self._probe.prepared(load.exchanges[:1], load.stream)
        self._cases = self._case.prepared(load.exchanges[1:], load.cases_stream)
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
        self._ask(self._probe, self._probes[0], due_s, self._probed)
        if self._next_s < self._origin_s + self._plan.end_s:
            self._alarm.at(self._next_s, self._due)

    def _probed(self, attempt: Attempt, _: Connection | None) -> None:
        self._has_ended(attempt)
        if 200 <= attempt.status < 300 and not attempt.error and not self._good:
            self._good = True
            self._cases_due = self._plan.cases_count
            now_s = time.monotonic()
            for number in range(self._plan.cases_count):
                due_s = now_s + number * self._plan.cases_period_s
                self._alarm.at(due_s, functools.partial(self._case_due, number, due_s))
        self._end_if_done()

    def _case_due(self, number: int, due_s: float) -> None:
        self._cases_due -= 1
        if not self.stopped:
            self._ask(self._case, self._cases[number % len(self._cases)], due_s, self._case_answered)

    def _case_answered(self, attempt: Attempt, _: Connection | None) -> None:
        self._has_ended(attempt)
        self._end_if_done()

    def _ask(
        self, sender: Sender, request: Prepared, due_s: float, then: Callable[[Attempt, Connection | None], None]
    ) -> None:
        self.lags_s.append(time.monotonic() - due_s)
        self.scheduled += 1
        self._attempt(sender, request, due_s, self._plan.group, None, then)


class ConnectStream(Stream):
    """Connections that are opened and closed."""

    def __init__(self, load: Connects, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        self._next = 0
        self._stream = self.ended_rows.code(load.stream)

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
        connection = self._connection()
        knock = Knock(self._loop, connection, due_s, self._plan, self._ended)
        if connection is None:
            self._loop.call_soon(knock.lost, REFUSED)
        else:
            connection.open(knock)

    def _ended(self, knock: Knock) -> None:
        self._open -= 1
        self.unsent += knock.error == UNSENT
        code, connection = self.ended_rows.code, knock.connection
        target, pod = (0, 0) if connection is None else connection.codes
        self.ended_rows.add(
            knock.scheduled_s, NAN if knock.error == UNSENT else knock.sent_s, knock.connected_s, NAN, NAN,
            knock.ended_s, 0, -1 if connection is None else connection.number, 0, len(self.ended_rows.event_s),
            self._stream, 0, target, pod, 0, code(knock.error), UNJUDGED,
            0 if connection is None else connection.local_port, 0, 0, -1, -1, 0,
        )  # fmt: skip
        self._end_if_done()


class Knock:
    """A connection that is closed once it is open and was held for as long as the plan says."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: Connection | None,
        scheduled_s: float,
        plan: Connects,
        on_end: Callable[[Knock], None],
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


def stream(load: Load, origin_s: float, route: Route, alarm: Alarm, loop: asyncio.AbstractEventLoop) -> Stream:
    """The stream that carries out one load; run-clock second 0 is origin_s on time.monotonic()."""
    if isinstance(load, OpenLoop):
        return OpenStream(load, origin_s, route, alarm, loop)
    if isinstance(load, Connects):
        return ConnectStream(load, origin_s, route, alarm, loop)
    if isinstance(load, Poll):
        return PollStream(load, origin_s, route, alarm, loop)
    return SerialStream(load, origin_s, route, alarm, loop)
