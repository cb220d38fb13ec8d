"""What carries out one load: what is sent when, never what came of it.

A stream ends when its last attempt has; every attempt ends, because each has a timeout. `stop` sends nothing
more and lets what is open finish.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from seatrial.traffic.alarm import Alarm
from seatrial.traffic.attempt import Attempt
from seatrial.traffic.connection import UNSENT, Connection
from seatrial.traffic.plan import Load
from seatrial.traffic.reading import ReadingAttempt
from seatrial.traffic.recorder import Recorder
from seatrial.traffic.route import Route
from seatrial.traffic.sender import Prepared, Sender


class Stream:
    """What all streams share; `recorder` gets how late each start was handled, and the ended attempts."""

    def __init__(
        self,
        load: Load,
        origin_s: float,
        route: Route,
        alarm: Alarm,
        loop: asyncio.AbstractEventLoop,
        recorder: Recorder,
    ) -> None:
        self.load = load
        self.route = route
        self.recorder = recorder
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
        kind = Attempt if request.reader is None else ReadingAttempt
        attempt = kind(sender, request, scheduled_s, group, then)
        if connection is None or not connection.is_open:
            connection = self._connection()
        if connection is None:
            attempt.refused()
        else:
            attempt.begin(connection)

    def _connection(self) -> Connection | None:
        connection = self.route.connection(self._loop)
        if connection is not None:
            code = self.recorder.code
            connection.codes = (code(connection.target), code(connection.pod))
        return connection

    def _has_ended(self, attempt: Attempt) -> None:
        self._open -= 1
        if attempt.error == UNSENT:
            self.unsent += 1
