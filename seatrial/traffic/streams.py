"""The streams of requests, in open and closed loops, and which stream carries out which load."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import deque
from collections.abc import Iterator

import numpy as np

from seatrial.traffic.alarm import Alarm
from seatrial.traffic.attempt import Attempt
from seatrial.traffic.connection import REFUSED, UNSENT, Connection
from seatrial.traffic.connects import ConnectStream
from seatrial.traffic.plan import ClosedLoop, Connects, Load, Lone, OpenLoop, Poll
from seatrial.traffic.polling import PollStream
from seatrial.traffic.recorder import Recorder
from seatrial.traffic.route import Route
from seatrial.traffic.sender import Manner, Prepared, Sender
from seatrial.traffic.stream import Stream

# A closed loop against a port where nobody listens would otherwise spin.
_PAUSE_AFTER_ERROR_S = 0.01
_DRAWN_AT_ONCE = 1024
Due = tuple[float, Prepared, int]  # when, what, and its group


class OpenStream(Stream):
    """Attempts at their times, whatever became of those before."""

    def __init__(self, load: OpenLoop, *given: object) -> None:
        super().__init__(load, *given)  # type: ignore[arg-type]
        self._plan = load
        reuse = load.connection != "new"
        manner = Manner(
            self.route.host, load.timeout_s, reuse, load.keep, load.body_pause_s, load.abandon_after_s,
            load.connect_timeout_s, load.first_byte_timeout_s,
        )  # fmt: skip
        self._sender = Sender(self._loop, manner, self.recorder)
        self._coming = self._arriving()
        self._next = next(self._coming, None)
        self._waiting: deque[Due] = deque()
        self._idle: list[Connection] = []
        self._busy = False

    def start(self) -> None:
        if self._next is not None:
            self._alarm.at(self._next[0], self._due)
        else:
            self._end_if_done()

    def stop(self) -> None:
        self.scheduled -= len(self._waiting)
        self._waiting.clear()
        super().stop()

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        super().close()

    def _more_to_come(self) -> bool:
        return self._next is not None or bool(self._waiting)

    def _arriving(self) -> Iterator[Due]:
        """The schedule, as objects only a little ahead of its time."""
        plan = self._plan
        requests = self._sender.prepared(plan.exchanges, plan.name)
        arrivals_s, picks, groups = (np.asarray(given) for given in (plan.arrivals_s, plan.picks, plan.groups))
        for first in range(0, len(arrivals_s), _DRAWN_AT_ONCE):
            now = slice(first, first + _DRAWN_AT_ONCE)
            due_s = (self._origin_s + arrivals_s[now]).tolist()
            picked = [requests[pick] for pick in picks[now].tolist()] if len(picks) else [requests[0]] * len(due_s)
            yield from zip(due_s, picked, groups[now].tolist() if len(groups) else [0] * len(due_s), strict=True)

    def _due(self) -> None:
        if self.stopped or self._next is None:
            return
        due_s, request, group = self._next
        self.recorder.lag_s.append(time.monotonic() - due_s)
        self.scheduled += 1
        self._next = next(self._coming, None)
        if self._next is not None:
            self._alarm.at(self._next[0], self._due)
        self._send(due_s, request, group)

    def _send(self, due_s: float, request: Prepared, group: int) -> None:
        if self._plan.connection != "keep-alive":
            self._attempt(self._sender, request, due_s, group, self._an_idle_one(), self._answered)
        elif self._busy:
            self._waiting.append((due_s, request, group))
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
        manner = Manner(
            self.route.host, load.timeout_s, load.connection != "new", load.keep,
            connect_timeout_s=load.connect_timeout_s, first_byte_timeout_s=load.first_byte_timeout_s,
        )  # fmt: skip
        self._sender = Sender(self._loop, manner, self.recorder)
        requests = self._sender.prepared(load.exchanges, load.name)
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
        self.recorder.lag_s.append(now_s - due_s)
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
            self._again_at(attempt.closed_s + pause_s, kept)
        else:
            self._send(attempt.closed_s, kept)


def _drawn(requests: list[Prepared], seed: int) -> Iterator[Prepared]:
    draw = random.Random(seed)
    while True:
        yield from draw.choices(requests, k=_DRAWN_AT_ONCE)


def stream(
    load: Load,
    origin_s: float,
    route: Route,
    alarm: Alarm,
    loop: asyncio.AbstractEventLoop,
    recorder: Recorder,
) -> Stream:
    """The stream that carries out one load; run-clock second 0 is origin_s on time.monotonic()."""
    given = (origin_s, route, alarm, loop, recorder)
    if isinstance(load, OpenLoop):
        return OpenStream(load, *given)
    if isinstance(load, Connects):
        return ConnectStream(load, *given)
    if isinstance(load, Poll):
        return PollStream(load, *given)
    return SerialStream(load, *given)
