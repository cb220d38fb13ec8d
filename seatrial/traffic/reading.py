"""An attempt whose answer is read by the adapter of its API as it arrives, and the events of a stream timed."""

from __future__ import annotations

from time import monotonic
from typing import Any

from seatrial.observation import UNJUDGED, WRONG
from seatrial.traffic.adapters.base import judge
from seatrial.traffic.attempt import Attempt
from seatrial.traffic.http1 import Answer
from seatrial.traffic.sender import Prepared, Sender


class ReadingAttempt(Attempt):
    """As any attempt; what arrives is given to a reader of its own, and so to the ledger's events and tokens.

    An event arrived with the read that brought its last byte, and the time is taken before anything is parsed.
    """

    __slots__ = ("_event_s", "_given", "_reader")

    def __init__(self, sender: Sender, request: Prepared, *given: Any) -> None:
        super().__init__(sender, request, *given)
        assert request.reader is not None
        self._reader = request.reader()
        self._event_s: list[float] = []
        self._given = 0  # bytes of the body that the reader has

    def received(self, data: bytes) -> None:
        now_s = monotonic()
        answer = self._answer
        if answer is None:
            self._first_byte_s = now_s
            if self._sender.awaiting is not None:
                self._sender.awaiting.forget(self, None)
            answer = self._answer = Answer(self._request.method)
        if not answer.feed(data):
            self._broken()
            return
        if len(answer.body) > self._given and 200 <= answer.status < 300:
            events = self._reader.feed(bytes(answer.body[self._given :]))
            self._given = len(answer.body)
            if events:
                self._event_s += [now_s] * events
        if answer.complete:
            self._finish(answer)

    def _read(self, kind: str, body: bytes | None) -> tuple[int, int, int]:
        self._sender.recorder.arrived(self._event_s)
        reply = self._reader.reply(self.status, body or b"")
        exchange = self._request.exchange
        correct = judge(reply, exchange.expect, exchange.tolerance)
        if kind and correct != UNJUDGED:
            correct = WRONG
        return (
            correct,
            -1 if reply.input_tokens is None else reply.input_tokens,
            -1 if reply.output_tokens is None else reply.output_tokens,
        )
