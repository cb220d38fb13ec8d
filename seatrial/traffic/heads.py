"""Heads of answers that were parsed before: a server that says the same again is not parsed again.

Most answers of a load differ in their body only, and within a second in nothing else. Recognised is a head that
is equal to the byte; whatever is new goes through the parser, and so does every answer that does not arrive whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from seatrial.traffic.http1 import Answer

END = b"\r\n\r\n"
_MOST, _LONGEST = 1024, 4096


@dataclass(frozen=True, slots=True)
class Head:
    """What the parser made of it. The body that follows has `length` bytes."""

    status: int
    length: int
    keep_alive: bool
    headers: str  # JSON, as the ledger has them


class Heads:
    """Known heads by their bytes, up to and with the empty line; for answers to one kind of request."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}
        self._latest, self._latest_head = END, Head(0, -1, False, "")  # which no answer has

    def of(self, data: bytes) -> tuple[Head, int] | None:
        """The head of a whole answer and its length, if it is known and all its body has come, and no more."""
        # Mostly it is that of the answer before: to compare it takes a tenth of what it takes to look it up.
        if data.startswith(self._latest):
            head, at = self._latest_head, len(self._latest)
        else:
            at = data.find(END) + len(END)
            known = self._known.get(data[:at])
            if known is None:
                return None
            self._latest, self._latest_head = data[:at], known
            head = known
        return (head, at) if len(data) == at + head.length else None

    def learn(self, head: bytes, answer: Answer) -> None:
        """Remember the head of an answer that the parser found whole: these bytes, the body they announce, no more."""
        announced = answer.length
        if announced is None or answer.body_bytes != announced or answer.received_bytes != len(head) + announced:
            return
        if len(head) > _LONGEST:
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[head] = Head(answer.status, announced, answer.keep_alive, headers_text(answer))


def headers_text(answer: Answer) -> str:
    """The kept headers as the ledger has them; "" without any."""
    return orjson.dumps(answer.headers).decode() if answer.headers else ""
