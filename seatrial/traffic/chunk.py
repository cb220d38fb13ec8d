"""Rows of ended attempts as they are recorded, some thousands at a time, and the ledger that chunks make together."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seatrial.ledger import FLOATS, TEXT, Floats, Ints, Ledger

# In the order of a row: times, counts, then what fits 32 bits (text columns are codes of their strings).
TIMES = ("scheduled_s", "sent_s", "connected_s", "body_sent_s", "first_byte_s", "ended_s", "closed_s")
WIDE = ("group", "connection", "received_bytes", "first_event")
NARROW = (
    "load", "case", "target", "pod", "status", "error", "correct", "local_port", "headers", "body",
    "input_tokens", "output_tokens", "events", "problem", "counted",
)  # fmt: skip
ROW = struct.Struct(f"<{len(TIMES)}d{len(WIDE)}q{len(NARROW)}i")
DTYPE = np.dtype(
    [(name, "<f8") for name in TIMES] + [(name, "<i8") for name in WIDE] + [(name, "<i4") for name in NARROW]
)
COLUMN_TYPES: dict[str, np.dtype[Any]] = {name: DTYPE[name] for name in (*TIMES, *WIDE, *NARROW)}
TextsOf = Callable[[Ints], Iterable[str]]


class Part(Protocol):
    """Rows in the order of their ends, with what belongs to them; times are the recorder's monotonic seconds."""

    @property
    def rows(self) -> int:
        """How many."""

    @property
    def first_text(self) -> int:
        """The code of the first of `texts`; those of the parts before are smaller."""

    @property
    def text_count(self) -> int:
        """How many texts came up for the first time in this part."""

    @property
    def event_count(self) -> int:
        """How many events of streams came."""

    def column(self, name: str) -> NDArray[Any]:
        """One column, shape (rows,); `first_event` counts the events of this part."""

    def event_s(self) -> Floats:
        """Arrivals of the events of streams, those of one row together."""

    def lag_s(self) -> Floats:
        """How late the starts were handled that came between the part before and this one; no matter which rows'."""

    def texts(self) -> Sequence[str]:
        """What text codes from `first_text` on stand for."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A part in memory."""

    packed: NDArray[Any]  # of DTYPE
    events: Floats
    lags: Floats
    first_text: int
    new_texts: tuple[str, ...]

    @property
    def rows(self) -> int:
        return len(self.packed)

    @property
    def text_count(self) -> int:
        return len(self.new_texts)

    @property
    def event_count(self) -> int:
        return len(self.events)

    def column(self, name: str) -> NDArray[Any]:
        found: NDArray[Any] = self.packed[name]
        return found

    def event_s(self) -> Floats:
        return self.events

    def lag_s(self) -> Floats:
        return self.lags

    def texts(self) -> Sequence[str]:
        return self.new_texts


def since(parts: Sequence[Part], first_row: int) -> tuple[Sequence[Part], int]:
    """The last of these parts, from the one that holds row `first_row` on, and how many rows are before them."""
    if not first_row:
        return parts, 0  # those too that begin with none: they have texts, and lags of starts
    before = 0
    for place, part in enumerate(parts):
        if before + part.rows > first_row:
            return parts[place:], before
        before += part.rows
    return [], before


def texts_of(parts: Sequence[Part]) -> TextsOf:
    """Looks up the texts of codes (ascending, each once), and reads those parts alone that have them."""

    def looked_up(codes: Ints) -> Iterable[str]:
        for part in parts:
            low, high = np.searchsorted(codes, [part.first_text, part.first_text + part.text_count])
            if low < high:
                texts = part.texts()
                yield from (texts[code - part.first_text] for code in codes[low:high].tolist())

    return looked_up


def assembled(
    parts: Sequence[Part], origin_s: float, text_of: TextsOf, first: int = 0, without: Collection[str] = ()
) -> Ledger:
    """The rows of parts from number `first` on, in the order of their scheduled times, which count from origin_s.

    Text columns named in `without` are "" throughout.
    """

    def whole(name: str) -> NDArray[Any]:
        dtype = COLUMN_TYPES[name]
        return np.concatenate([np.empty(0, dtype), *(part.column(name) for part in parts)])[first:]

    order = np.argsort(whole("scheduled_s"), kind="stable")
    first_event = _first_events(parts)[first:]
    skipped = int(first_event[0]) if len(first_event) else None  # events are in the order of the rows
    columns: dict[str, Any] = {"row": np.arange(len(order))}
    for name in COLUMN_TYPES:
        if name == "first_event":
            columns[name] = first_event[order] - (skipped or 0)
        elif name in without:
            columns[name] = np.zeros(len(order), np.int32)
        elif name in FLOATS:
            columns[name] = whole(name)[order] - origin_s
        else:
            columns[name] = whole(name)[order].astype(np.int32 if name in TEXT else np.int64, copy=False)
    # Only the texts of these rows, the empty one first; one that was recorded under two codes becomes one again.
    used = np.unique(np.concatenate([[0], *(columns[name] for name in TEXT)])).astype(np.int64)
    strings: dict[str, int] = {"": 0}
    recoded = np.array([strings.setdefault(text, len(strings)) for text in text_of(used)], dtype=np.int32)
    for name in TEXT:
        columns[name] = recoded[np.searchsorted(used, columns[name])]
    event_s = np.concatenate([np.empty(0), *(part.event_s() for part in parts if skipped is not None)])[skipped:]
    return Ledger(**columns, strings=tuple(strings), event_s=event_s - origin_s)


def _first_events(parts: Sequence[Part]) -> Ints:
    before = 0
    found = [np.empty(0, np.int64)]
    for part in parts:
        found.append(part.column("first_event") + before)
        before += part.event_count
    return np.concatenate(found)
