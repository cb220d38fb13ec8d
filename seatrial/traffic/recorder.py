"""Rows of finished attempts, and the ledger that is made of them."""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import numpy as np
import orjson

from seatrial.ledger import COLUMNS, Ledger
from seatrial.traffic.chunk import DTYPE, ROW, Chunk, Part, assembled, since, texts_of

NAN = float("nan")
VERBATIM = ("headers", "body")  # what the other side said, and each row may have its own
OTHER_PROBLEM = "another of more than a hundred reasons"
_MOST_PROBLEMS = 100
_CHUNK_ROWS = 4096
_MOST_EVENTS = 1_000_000  # in one chunk
_MOST_TEXT = 8 * 1024 * 1024  # characters, in one chunk and among those that are recognised
_ROW_BYTES = ROW.size
_pack_into = ROW.pack_into


class Sink(Protocol):
    """Where full chunks go."""

    on_disk: bool  # what it keeps outlives this process, and takes none of its memory
    failure: str | None  # why chunks are lost, once they are

    def take(self, chunk: Chunk) -> None:
        """Keep a chunk; never raises."""

    def reading(self, first_row: int = 0) -> AbstractContextManager[tuple[Sequence[Part], int]]:
        """The parts from the one that holds this row on, and how many rows are before them; good within the context."""

    def drain(self) -> None:
        """Wait until everything is where it is kept."""

    def close(self) -> None:
        """The same, once, when nothing more will come."""


class Memory:
    """Chunks that stay in memory."""

    on_disk = False
    failure: str | None = None

    def __init__(self) -> None:
        self._chunks: list[Chunk] = []

    def take(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)

    def reading(self, first_row: int = 0) -> AbstractContextManager[tuple[Sequence[Part], int]]:
        return nullcontext(since(self._chunks, first_row))

    def drain(self) -> None: ...

    def close(self) -> None: ...


class Recorder:
    """Ended attempts: to add one is to pack it into the end of a chunk, and full chunks go to the sink.

    Making a ledger of row objects would hold up the event loop, and with it whatever else is due just then.
    """

    def __init__(self, sink: Sink | None = None) -> None:
        self.event_s = array("d")  # since the last chunk: arrivals of the events of streams, those of one row together
        self.lag_s = array("d")  # since the last chunk: how late each start was handled
        self.sink: Sink = sink or Memory()
        self._names: dict[str, int] = {"": 0}
        self._texts: dict[str, int] = {"": 0}
        self._problems: set[str] = set()
        self._known_size = self._new_size = 0  # of the texts, in characters
        self._new_texts = [""]
        self._first_text = 0
        self._rows_before = 0
        self._earlier_due_s = (float("inf"), float("-inf"))
        self._chunk = bytearray(_ROW_BYTES * _CHUNK_ROWS)
        self._at = 0
        self._full_at = len(self._chunk)

    def __len__(self) -> int:
        return self._rows_before + self._at // _ROW_BYTES

    def code(self, text: str) -> int:
        """The number that stands for a name in this recorder's rows; names are few, and stay known."""
        known = self._names.get(text)
        if known is None:
            known = self._names[text] = self._numbered(text)
        return known

    def problem_code(self, text: str) -> int:
        """The number that stands for what is wrong with an answer; of more than a hundred, the rest are one."""
        if text and text not in self._problems:
            if len(self._problems) == _MOST_PROBLEMS:
                text = OTHER_PROBLEM
            else:
                self._problems.add(text)
        return self.code(text)

    def text_code(self, text: str) -> int:
        """The number that stands for a text of which each row may have another: headers, a body."""
        known = self._texts.get(text)
        if known is not None:
            return known
        self._known_size += len(text)
        self._new_size += len(text)
        if self._new_size > _MOST_TEXT:
            self._full_at = 0  # with the row that is added next
        if self._known_size > _MOST_TEXT and self.sink.on_disk:
            self._texts, self._known_size = {"": 0}, len(text)
        known = self._texts[text] = self._numbered(text)
        return known

    def arrived(self, event_s: list[float]) -> None:
        """Keep the arrivals of the events of the row that is added next."""
        self.event_s.extend(event_s)
        if len(self.event_s) > _MOST_EVENTS:
            self._full_at = 0

    def add(
        self, scheduled_s: float, sent_s: float, connected_s: float, body_sent_s: float, first_byte_s: float,
        ended_s: float, group: int, connection: int, received_bytes: int, first_event: int, load: int, case: int,
        target: int, pod: int, status: int, error: int, correct: int, local_port: int, headers: int, body: int,
        input_tokens: int, output_tokens: int, events: int, closed_s: float | None = None, problem: int = 0,
        counted: int = 0,
    ) -> None:  # fmt: skip
        """Keep an attempt that has ended; the order is that of `chunk.TIMES`, `WIDE` and `NARROW`, and what
        came later to these at the end.

        Times are the agent's monotonic seconds, NaN for what has not happened. Positions, because a tuple of them
        would be made and taken apart again with each row. `closed_s` is `ended_s` where it is None.
        """
        at = self._at
        _pack_into(
            self._chunk, at, scheduled_s, sent_s, connected_s, body_sent_s, first_byte_s, ended_s,
            ended_s if closed_s is None else closed_s,
            group, connection, received_bytes, first_event, load, case, target, pod, status, error, correct,
            local_port, headers, body, input_tokens, output_tokens, events, problem, counted,
        )  # fmt: skip
        self._at = at = at + _ROW_BYTES
        if at >= self._full_at:
            self._turn()

    def keep(self) -> None:
        """Let nothing that has ended wait for a full chunk where a sink could save it."""
        if self.sink.on_disk and (self._at or self.lag_s):
            self._turn()

    def _turn(self) -> None:
        chunk = self._open_chunk()
        self._earlier_due_s = self.due_s
        self.sink.take(chunk)
        self._rows_before += chunk.rows
        self._first_text += len(self._new_texts)
        self._new_size = 0
        self._new_texts, self.event_s, self.lag_s = [], array("d"), array("d")
        self._chunk = bytearray(len(self._chunk))
        self._at, self._full_at = 0, len(self._chunk)

    @property
    def due_s(self) -> tuple[float, float]:
        """The first and the last scheduled time of all rows; not to be asked without rows."""
        due_s = np.frombuffer(self._chunk, DTYPE, self._at // _ROW_BYTES)["scheduled_s"]
        first_s, last_s = self._earlier_due_s
        return (min(first_s, float(due_s.min())), max(last_s, float(due_s.max()))) if len(due_s) else (first_s, last_s)

    @contextmanager
    def reading(self, first_row: int = 0) -> Iterator[tuple[Sequence[Part], int]]:
        """As the sink has it, the part that grows included."""
        with self.sink.reading(first_row) as (parts, before):
            yield [*parts, self._open_chunk()], before

    def ledger(self, origin_s: float) -> Ledger:
        """All rows, in the order of their scheduled times, which count from origin_s."""
        with self.reading() as (parts, _):
            return assembled(parts, origin_s, texts_of(parts))

    def fresh(self, origin_s: float, first: int) -> Ledger:
        """The rows from number `first` on, as `ledger` has them, but without headers and bodies."""
        names = {code: name for name, code in self._names.items()}
        with self.reading(first) as (parts, before):
            return assembled(
                parts, origin_s, lambda codes: [names[code] for code in codes.tolist()], first - before, VERBATIM
            )

    def _numbered(self, text: str) -> int:
        self._new_texts.append(text)
        return self._first_text + len(self._new_texts) - 1

    def _open_chunk(self) -> Chunk:
        packed = np.frombuffer(self._chunk, DTYPE, self._at // _ROW_BYTES)
        # Copies: an array that is looked into cannot grow.
        events, lags = np.array(self.event_s), np.array(self.lag_s)
        return Chunk(packed, events, lags, self._first_text, tuple(self._new_texts))


def pack(whole: Ledger) -> bytes:
    """The ledger as an npz archive; it is not compressed, the wire does that."""
    columns = {name: getattr(whole, name) for name in COLUMNS}
    buffer = io.BytesIO()
    np.savez(
        buffer,
        **columns,
        event_s=whole.event_s,
        strings=np.frombuffer(orjson.dumps(list(whole.strings)), dtype=np.uint8),
    )
    return buffer.getvalue()


def unpack(data: bytes | bytearray) -> Ledger:
    """The ledger that `pack` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        columns: dict[str, Any] = {name: archive[name] for name in COLUMNS}
        strings = tuple(orjson.loads(archive["strings"].tobytes()))
        event_s = archive["event_s"]
    return Ledger(**columns, strings=strings, event_s=event_s)
