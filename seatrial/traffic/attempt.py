"""One request on a connection, followed to its end: exactly one row of the ledger.

`sent_s` is when the attempt began: the connect for a new connection, the first write on a kept one. Nothing
is retried. An `abandoned` row is one that its own load told the client to drop; an `unsent` one could not be
sent for want of something on our own side (ports, file descriptors), and its `sent_s` is NaN.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from seatrial.observation import RIGHT, UNJUDGED, WRONG
from seatrial.traffic.answers import judge
from seatrial.traffic.connection import EOF, UNSENT, Connection
from seatrial.traffic.http1 import Answer, request_head
from seatrial.traffic.plan import Exchange, Keep
from seatrial.traffic.recorder import NAN, Row

_WRONG_BODY_LIMIT, _ANY_BODY_LIMIT = 4 * 1024, 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manner:
    """How the attempts of one stream are made."""

    host: str  # for the Host header
    timeout_s: float
    reuse: bool
    keep: Keep = "wrong"
    body_pause_s: float | None = None
    abandon_after_s: float | None = None


class Attempt:
    """Call `begin` once; `on_end` is called once, later, with the connection free again or closed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        exchange: Exchange,
        manner: Manner,
        row: Row,
        on_end: Callable[[Attempt], None],
    ) -> None:
        self.row = row
        self._loop = loop
        self._exchange = exchange
        self._manner = manner
        self._on_end: Callable[[Attempt], None] | None = on_end
        self._answer = Answer(exchange.method)
        self._timers: list[asyncio.TimerHandle] = []
        self._rest = b""

    def begin(self, connection: Connection) -> None:
        """Send the request on this connection, opening it first if need be."""
        self._connection = connection
        row = self.row
        row.sent_s = time.monotonic()
        row.pod, row.target, row.connection = connection.pod, connection.target, connection.number
        self._after(self._manner.timeout_s, self._drop, "timeout")
        if self._manner.abandon_after_s is not None:
            self._after(self._manner.abandon_after_s, self._drop, "abandoned")
        if connection.is_open:
            connection.user = self
            row.connected_s = row.sent_s
            self._send()
        else:
            connection.open(self)

    def refused(self) -> None:
        """End as refused: there was nobody to connect to."""
        self.row.sent_s = time.monotonic()
        self._loop.call_soon(self._end, "refused")

    def opened(self) -> None:
        self.row.connected_s = time.monotonic()
        self._send()

    def drained(self) -> None:
        if not self._rest:
            self.row.body_sent_s = time.monotonic()

    def received(self, data: bytes) -> None:
        if self.row.first_byte_s != self.row.first_byte_s:
            self.row.first_byte_s = time.monotonic()
        if not self._answer.feed(data):
            self._drop("protocol")
        elif self._answer.complete:
            self._finish()

    def lost(self, kind: str) -> None:
        if kind == EOF and self._answer.end_of_stream():
            self._finish()
        else:
            self._end(kind)

    def _send(self) -> None:
        self.row.local_port = self._connection.local_port
        head = request_head(self._exchange, self._manner.host, close=not self._manner.reuse)
        body = self._exchange.body
        if self._manner.body_pause_s is None:
            self._connection.write(head + body)
            return
        self._rest = body[len(body) // 2 :]
        self._after(self._manner.body_pause_s, self._send_rest)
        self._connection.write(head + body[: len(body) // 2])

    def _send_rest(self) -> None:
        rest, self._rest = self._rest, b""
        self._connection.write(rest)

    def _drop(self, kind: str) -> None:
        self._connection.close()
        self._end(kind)

    def _finish(self) -> None:
        connection = self._connection
        if self._rest:
            connection.close()  # answered before the request was whole: the connection is out of step
        elif self._manner.reuse and self._answer.keep_alive and connection.is_open:
            connection.user = None
        else:
            connection.retire()
        self._end("")

    def _end(self, kind: str) -> None:
        if self._on_end is None:
            return
        for timer in self._timers:
            timer.cancel()
        row, answer = self.row, self._answer
        row.ended_s = time.monotonic()
        row.error = kind
        row.status = answer.status
        row.received_bytes = answer.received_bytes
        if kind == UNSENT:
            row.sent_s = NAN
        row.correct = self._judged(kind)
        if answer.headers:
            row.headers = orjson.dumps(answer.headers).decode()
        row.body = self._kept_body()
        # Parser and connection point back at us: parting here spares the garbage collector.
        on_end, self._on_end = self._on_end, None
        on_end(self)
        del self._connection, self._answer

    def _judged(self, kind: str) -> int:
        if self._exchange.expect is None:
            return UNJUDGED
        body = self._answer.whole_body
        if kind or body is None:
            return WRONG
        return judge(self._answer.status, body, self._exchange.expect, self._exchange.tolerance)

    def _kept_body(self) -> str:
        if self._manner.keep == "all":
            limit = _ANY_BODY_LIMIT
        elif self.row.correct == RIGHT or (self.row.correct == UNJUDGED and 200 <= self.row.status < 300):
            limit = 0
        else:
            limit = _WRONG_BODY_LIMIT
        return self._answer.body[:limit].decode("utf-8", "replace")

    def _after(self, delay_s: float, call: Callable[..., None], *given: str) -> None:
        self._timers.append(self._loop.call_later(delay_s, call, *given))
