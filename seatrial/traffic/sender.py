"""What the attempts of one load share: the requests as bytes, the rows, and the time each may take."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Protocol

from seatrial.traffic.adapters.apis import reader_of
from seatrial.traffic.answers import judge
from seatrial.traffic.heads import Heads
from seatrial.traffic.http1 import request_head
from seatrial.traffic.plan import Exchange, Keep
from seatrial.traffic.recorder import Recorder

_MOST_JUDGED, _LONGEST_JUDGED = 64, 64 * 1024


@dataclass(frozen=True, slots=True)
class Manner:
    """How the attempts of one load are made."""

    host: str  # for the Host header
    timeout_s: float
    reuse: bool
    keep: Keep = "wrong"
    body_pause_s: float | None = None
    abandon_after_s: float | None = None
    connect_timeout_s: float | None = None
    first_byte_timeout_s: float | None = None


class Prepared:
    """An exchange as it is sent again and again: its bytes, and what its answers were judged to be."""

    __slots__ = ("case", "data", "exchange", "heads", "judged", "load", "method", "reader", "rest")

    def __init__(self, exchange: Exchange, manner: Manner, load: int, case: int, heads: Heads) -> None:
        self.exchange = exchange
        self.method = exchange.method
        self.load = load
        self.case = case
        self.heads = heads
        self.reader = reader_of(exchange.api, exchange.source)
        head = request_head(exchange, manner.host, close=not manner.reuse)
        split = len(exchange.body) if manner.body_pause_s is None else len(exchange.body) // 2
        self.data = head + exchange.body[:split]
        self.rest = exchange.body[split:]  # sent after the pause
        self.judged: dict[bytes, int] = {}  # bodies of 2xx answers that were judged before

    def judge(self, status: int, body: bytes) -> int:
        """Whether a whole answer is the right one; remembered in `judged`, for an answer is often the same."""
        found = judge(status, body, self.exchange.expect, self.exchange.tolerance)
        if len(body) <= _LONGEST_JUDGED:
            if len(self.judged) >= _MOST_JUDGED:
                self.judged.clear()
            self.judged[body] = found
        return found


class Limited(Protocol):
    """What may take so long and no longer."""

    sent_s: float

    def drop(self, kind: str) -> None:
        """Give up."""


class Limit:
    """So long may attempts take from when they were sent, to their end or to get somewhere on the way.

    All have the same time, so the next to pass it is the oldest that is open: one timer serves all, and is set anew
    when it has rung, not with each request.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, within_s: float) -> None:
        self._loop = loop
        self._within_s = within_s
        self._open: dict[Limited, None] = {}
        self.forget = self._open.pop
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, attempt: Limited) -> None:
        """Drop this attempt, sent just now, once its time has passed, unless it is forgotten before."""
        self._open[attempt] = None
        if self._timer is None:
            self._timer = self._loop.call_later(self._within_s, self._look)

    def _look(self) -> None:
        # In the order in which they were sent: of a thousand open ones, only those are looked at whose time has passed.
        due_s = time.monotonic() - self._within_s
        for attempt in list(itertools.takewhile(lambda attempt: attempt.sent_s <= due_s, self._open)):
            attempt.drop("timeout")
        # Only now: what those left to send may be watched already, and must not have set a timer of its own.
        self._timer = None
        for oldest in self._open:
            self._timer = self._loop.call_later(max(0.0, oldest.sent_s - due_s), self._look)
            break


class Sender:
    """The attempts of one load that share a manner."""

    def __init__(self, loop: asyncio.AbstractEventLoop, manner: Manner, recorder: Recorder) -> None:
        self.loop = loop
        self.manner = manner
        self.recorder = recorder
        whole = Limit(loop, manner.timeout_s)
        self.watch, self.forget = whole.watch, whole.forget
        # On the way, where there are any: most streams have none, and no request of theirs is to wait for it.
        connect_s, first_byte_s = manner.connect_timeout_s, manner.first_byte_timeout_s
        self.connecting = None if connect_s is None else Limit(loop, connect_s)
        self.awaiting = None if first_byte_s is None else Limit(loop, first_byte_s)
        self.limits_phases = connect_s is not None or first_byte_s is not None

    def prepared(self, exchanges: tuple[Exchange, ...], load: str) -> list[Prepared]:
        """The exchanges as they are sent; rows are of the named load."""
        heads: defaultdict[str, Heads] = defaultdict(Heads)  # by method: after HEAD the same head has no body
        code = self.recorder.code
        return [Prepared(each, self.manner, code(load), code(each.case), heads[each.method]) for each in exchanges]
