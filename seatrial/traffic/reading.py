"""An attempt whose answer is read by the adapter of its API as it arrives, and the events of a stream timed."""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from seatrial.ledger import UNJUDGED, WRONG
from seatrial.traffic.adapters.base import judge
from seatrial.traffic.attempt import WRONG_BODY_BYTES, Attempt, Read
from seatrial.traffic.http1 import BEGINNING_BYTES, Answer
from seatrial.traffic.recorder import NAN
from seatrial.traffic.sender import Prepared, Sender

_CRLF: Final = b"\r\n"
NO_HTTP_END: Final = "the HTTP answer did not end: "  # of a stream that did; what became of the connection follows
# What may become of a connection once a stream is over: no matter of the answer.
_AFTER_THE_END: Final = frozenset({"timeout", "eof", "reset"})
# By the length of a chunk in all, the line with its size, in lower case and in upper (RFC 9112, 7.1).
_FIRST_LINES: Final[dict[int, tuple[bytes, ...]]] = {
    len(lower) + size + len(_CRLF): (lower, b"%X\r\n" % size) for size in range(1, 4096) for lower in [b"%x\r\n" % size]
}


class _ReadAnswer(Answer):
    """As any answer; what comes of its body is handed on as well."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self._fresh: list[bytes] = []

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self._fresh.append(body)
        super().on_body(body)

    def fresh(self) -> bytes:
        """The body that has come since this was asked last."""
        fresh = b"".join(self._fresh)
        self._fresh.clear()
        return fresh


class ReadingAttempt(Attempt):
    """As any attempt; what arrives is given to a reader of its own, and so to the ledger's events and tokens.

    An event arrived with the read that brought its last byte, and the time is taken before anything is parsed. Where a
    reader says that the stream is over, the answer has ended with that read, and the row waits for the end of HTTP. A
    read that is one whole chunk, as of servers that write each event by itself, does not go through the parser once
    there is as much of the body as the ledger keeps.
    """

    __slots__ = ("_after_the_end", "_ends", "_event_s", "_kept_bytes", "_may_pass", "_passed_bytes", "_reader")

    def __init__(self, sender: Sender, request: Prepared, *given: Any) -> None:
        super().__init__(sender, request, *given)
        assert request.reader is not None
        self._reader = request.reader()
        self._ends = hasattr(self._reader, "over")
        self._event_s: list[float] = []
        self._after_the_end = ""  # what became of the connection before HTTP had ended
        self._may_pass = False  # a whole chunk, whose content only the reader needs, past the parser
        self._passed_bytes = 0
        self._kept_bytes = BEGINNING_BYTES if sender.manner.keep == "all" else WRONG_BODY_BYTES

    def received(self, data: bytes) -> None:
        now_s = monotonic()
        if self._may_pass:
            first = _FIRST_LINES.get(len(data), ())
            if data.startswith(first) and data.endswith(_CRLF):
                self._passed_bytes += len(data)
                self._fed(data[len(first[0]) : -2], now_s)
                return
            self._settle()
        self._parse(data, now_s)

    def _parse(self, data: bytes, now_s: float) -> None:
        answer = self._answer
        if answer is None:
            self._first_byte_s = now_s
            if self._sender.awaiting is not None:
                self._sender.awaiting.forget(self, None)
            answer = self._answer = _ReadAnswer(self._request.method)
        assert isinstance(answer, _ReadAnswer)
        if not answer.feed(data):
            self._broken()
            return
        is_read = 200 <= answer.status < 300
        if (fresh := answer.fresh()) and is_read:
            self._fed(fresh, now_s)
        if answer.complete:
            self._finish(answer)
        elif answer.body_bytes >= self._kept_bytes:
            between_chunks = answer.between_chunks and data.endswith(_CRLF)
            self._may_pass = between_chunks and is_read and not self._reader.needs_body

    def _fed(self, body: bytes, now_s: float) -> None:
        if events := self._reader.feed(body):
            self._event_s += [now_s] * events
        if self._ends and self.ended_s is NAN and self._reader.over:  # type: ignore[attr-defined]
            self.ended_s = now_s

    def _settle(self) -> None:
        """Let the answer know of what passed it by."""
        if self._passed_bytes and self._answer is not None:
            self._answer.pass_over(self._passed_bytes)
            self._passed_bytes = 0

    def _end(self, kind: str, *given: Any) -> None:
        self._settle()
        if kind in _AFTER_THE_END and self.ended_s is not NAN:
            self._after_the_end, kind = kind, ""
        super()._end(kind, *given)

    def _read(self, kind: str, body: bytes | None) -> Read:
        self._sender.recorder.arrived(self._event_s)
        reply = self._reader.reply(self.status, body or b"")
        exchange = self._request.exchange
        correct = judge(reply, exchange.expect, exchange.tolerance, exchange.comparator)
        if kind and correct != UNJUDGED:
            correct = WRONG
        problem = "" if kind or correct != WRONG else reply.problem
        if self._after_the_end and not problem:
            problem = f"{NO_HTTP_END}{self._after_the_end}"
        return Read(
            correct,
            -1 if reply.input_tokens is None else reply.input_tokens,
            -1 if reply.output_tokens is None else reply.output_tokens,
            problem,
            reply.output_tokens is not None and not reply.reported,
        )
