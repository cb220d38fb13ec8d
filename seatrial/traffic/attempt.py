"""One request on a connection, followed to its end: exactly one row of the ledger.

`sent_s` is when the attempt began: the connect for a new connection, the first write on a kept one. Nothing
is retried. An `abandoned` row is one that its own load told the client to drop; an `unsent` one could not be
sent for want of something on our own side (ports, file descriptors), and its `sent_s` is NaN.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from seatrial.ledger import RIGHT, UNJUDGED, WRONG
from seatrial.traffic.connection import EOF, UNSENT, Connection
from seatrial.traffic.heads import END, headers_text
from seatrial.traffic.http1 import BEGINNING_BYTES, Answer
from seatrial.traffic.recorder import NAN
from seatrial.traffic.sender import Prepared, Sender

WRONG_BODY_BYTES = 4 * 1024  # that the ledger keeps


class Read(NamedTuple):
    """What an answer says; -1 where nothing tells of tokens."""

    correct: int
    input_tokens: int = -1
    output_tokens: int = -1
    problem: str = ""  # with a whole answer
    counted: bool = False  # the output tokens, from events


_RIGHT, _WRONG, _UNJUDGED = Read(RIGHT), Read(WRONG), Read(UNJUDGED)


class Attempt:
    """Call `begin` once; `then` is called once, later, with the connection if it can be used again."""

    __slots__ = (
        "_answer", "_body_sent_s", "_connected_s", "_connection", "_first_byte_s", "_group", "_head", "_request",
        "_rest", "_scheduled_s", "_sender", "_then", "_timers", "closed_s", "ended_s", "error", "sent_s", "status",
    )  # fmt: skip

    def __init__(
        self,
        sender: Sender,
        request: Prepared,
        scheduled_s: float,
        group: int,
        then: Callable[[Attempt, Connection | None], None],
    ) -> None:
        self.status = 0
        self.error = ""
        self.sent_s = self.ended_s = self.closed_s = NAN
        self._connected_s = self._body_sent_s = self._first_byte_s = NAN
        self._scheduled_s = scheduled_s
        self._group = group
        self._sender = sender
        self._request = request
        self._then: Callable[[Attempt, Connection | None], None] | None = then
        self._answer: Answer | None = None
        self._connection: Connection | None = None
        self._head = b""  # of the answer, where it came in one piece
        self._rest = b""
        self._timers: list[asyncio.TimerHandle] | None = None

    def begin(self, connection: Connection) -> None:
        """Send the request on this connection, opening it first if need be."""
        self._connection = connection
        self.sent_s = monotonic()
        sender = self._sender
        sender.watch(self)
        if sender.awaiting is not None:
            sender.awaiting.watch(self)
        if sender.manner.abandon_after_s is not None:
            self._after(sender.manner.abandon_after_s, self.drop, "abandoned")
        if connection.is_open:
            connection.user = self
            self._connected_s = self.sent_s
            self._send(connection)
        else:
            if sender.connecting is not None:
                sender.connecting.watch(self)
            connection.open(self)

    def refused(self) -> None:
        """End as refused: there was nobody to connect to."""
        self.sent_s = monotonic()
        self._sender.loop.call_soon(self._end, "refused")

    def opened(self) -> None:
        self._connected_s = monotonic()
        if self._sender.connecting is not None:
            self._sender.connecting.forget(self, None)
        assert self._connection is not None
        self._send(self._connection)

    def drained(self) -> None:
        if not self._rest:
            self._body_sent_s = monotonic()

    def received(self, data: bytes) -> None:
        if self._answer is None:
            self._first_byte_s = now_s = monotonic()
            if self._sender.awaiting is not None:
                self._sender.awaiting.forget(self, None)
            if (known := self._request.heads.of(data)) is not None:
                head, at = known
                self.status = head.status
                self._release(head.keep_alive)
                self._end("", data[at:], head.headers, len(data), now_s)
                return
            at = data.find(END) + len(END)
            self._head = data[:at] if at >= len(END) else b""
            self._answer = Answer(self._request.method)
        answer = self._answer
        if not answer.feed(data):
            self._broken()
        elif answer.complete:
            self._finish(answer)

    def lost(self, kind: str) -> None:
        if kind == EOF and self._answer is not None and self._answer.end_of_stream():
            self._finish(self._answer)
        else:
            self._end(kind)

    def drop(self, kind: str) -> None:
        """Give up: close the connection, and end as `kind`."""
        if self._connection is not None:
            self._connection.close()
        self._end(kind)

    def _broken(self) -> None:
        """What came is not HTTP."""
        if self._connection is not None:
            self._connection.abort()
        self._end("protocol")

    def _send(self, connection: Connection) -> None:
        request = self._request
        if not request.rest:
            if connection.write(request.data):
                self._body_sent_s = monotonic()
            return
        self._rest = request.rest
        assert self._sender.manner.body_pause_s is not None
        self._after(self._sender.manner.body_pause_s, self._send_rest)
        connection.write(request.data)

    def _send_rest(self) -> None:
        rest, self._rest = self._rest, b""
        assert self._connection is not None
        if self._connection.write(rest):
            self.drained()

    def _finish(self, answer: Answer) -> None:
        if self._head:
            self._request.heads.learn(self._head, answer)
        self._release(answer.keep_alive)
        self._end("")

    def _release(self, keep_alive: bool) -> None:
        """Part with the connection, or keep it where it can serve another request."""
        connection = self._connection
        assert connection is not None
        if not self._body_sent_s > 0:
            connection.close()  # answered before the request was whole: the connection is out of step
        elif self._sender.manner.reuse and keep_alive and connection.is_open:
            connection.user = None
        else:
            connection.retire()

    def _end(
        self, kind: str, body: bytes | None = None, headers: str = "", received_bytes: int = 0, now_s: float = NAN
    ) -> None:
        then = self._then
        if then is None:
            return
        self._then = None
        self.closed_s = monotonic() if now_s is NAN else now_s
        if self.ended_s is NAN:  # else the stream had ended before its HTTP answer did
            self.ended_s = self.closed_s
        self.error = kind
        sender = self._sender
        sender.forget(self, None)
        if sender.limits_phases:
            self._forget_phases()
        if self._timers:
            for timer in self._timers:
                timer.cancel()
        kept_body: bytes | bytearray | None = body
        if (answer := self._answer) is not None:
            self.status = answer.status
            received_bytes = answer.received_bytes
            headers = headers_text(answer)
            body = answer.whole_body
            kept_body = answer.body
        if kind == UNSENT:
            self.sent_s = NAN
        request, recorder = self._request, sender.recorder
        first_event = len(recorder.event_s)
        correct, input_tokens, output_tokens, problem, counted = self._read(kind, body)
        kept = self._kept(kept_body, correct) if correct != RIGHT or sender.manner.keep == "all" else ""
        if (connection := self._connection) is None:
            number, local_port, target, pod = -1, 0, 0, 0
        else:
            number, local_port = connection.number, connection.local_port
            target, pod = connection.codes
        recorder.add(
            self._scheduled_s, self.sent_s, self._connected_s, self._body_sent_s, self._first_byte_s, self.ended_s,
            self._group, number, received_bytes, first_event, request.load, request.case, target, pod, self.status,
            recorder.code(kind) if kind else 0, correct, local_port, recorder.text_code(headers) if headers else 0,
            recorder.text_code(kept) if kept else 0, input_tokens, output_tokens, len(recorder.event_s) - first_event,
            self.closed_s, recorder.problem_code(problem) if problem else 0, counted,
        )  # fmt: skip
        # Connection and parser point back at us: parting here spares the garbage collector.
        self._answer = self._connection = None
        then(self, connection if connection is not None and sender.manner.reuse and connection.is_open else None)

    def _forget_phases(self) -> None:
        for limit in (self._sender.connecting, self._sender.awaiting):
            if limit is not None:
                limit.forget(self, None)

    def _read(self, kind: str, body: bytes | None) -> Read:
        request = self._request
        if request.exchange.expect is None:
            return _UNJUDGED
        if kind or body is None or not 200 <= self.status < 300:
            return _WRONG
        known = request.judged.get(body)
        return _RIGHT if (request.judge(self.status, body) if known is None else known) == RIGHT else _WRONG

    def _kept(self, body: bytes | bytearray | None, correct: int) -> str:
        if not body:
            return ""
        if self._sender.manner.keep == "all":
            return body[:BEGINNING_BYTES].decode("utf-8", "replace")
        if correct == UNJUDGED and 200 <= self.status < 300:
            return ""
        return body[:WRONG_BODY_BYTES].decode("utf-8", "replace")

    def _after(self, delay_s: float, call: Callable[..., None], *given: str) -> None:
        if self._timers is None:
            self._timers = []
        self._timers.append(self._sender.loop.call_later(delay_s, call, *given))
