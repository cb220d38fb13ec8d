"""Some rows of a ledger that stays on disk: a column is read when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seatrial.ledger import FLOATS, TEXT, Codes, Floats, Ints, Ledger, Mask
from seatrial.traffic.chunk import COLUMN_TYPES, Part, texts_of


class Source(Protocol):
    """A ledger in parts, such as a LedgerFile."""

    @property
    def parts(self) -> Sequence[Part]:
        """All of them, in the order of the rows' ends."""

    @property
    def origin_s(self) -> float:
        """Second 0 of the run's clock on that of the parts."""


class Piece:
    """Some rows of one source, in the order of their ends; a column is read when it is first asked for."""

    scheduled_s: Floats
    sent_s: Floats
    connected_s: Floats
    first_byte_s: Floats
    ended_s: Floats
    closed_s: Floats
    status: Ints
    error: Codes
    problem: Codes
    correct: Ints
    input_tokens: Ints
    output_tokens: Ints
    first_event: Ints
    events: Ints
    counted: Ints
    event_s: Floats  # of all rows of its parts

    def __init__(self, texts: Texts, parts: Sequence[Part], of: Mask | None = None) -> None:
        """Those rows of the parts where `of` holds; None: all."""
        self._texts, self._parts, self._of = texts, parts, of
        self._rows = sum(part.rows for part in parts) if of is None else int(of.sum())

    def __len__(self) -> int:
        return self._rows

    @property
    def source(self) -> int:
        """Which of the load's ledgers they are in, from 0."""
        return self._texts.number

    @property
    def strings(self) -> Sequence[str]:
        """What the text columns stand for that were asked for so far, of this piece or another."""
        return self._texts.strings

    def code(self, text: str) -> int:
        """The index of a text in `strings`, or -1; the empty one is 0."""
        return self._texts.numbers.get(text, -1)

    def __getattr__(self, name: str) -> NDArray[Any]:
        values = self._event_s() if name == "event_s" else self._column(name)
        setattr(self, name, values)
        return values

    def _column(self, name: str) -> NDArray[Any]:
        if name not in COLUMN_TYPES:
            raise AttributeError(f"expected a column of the ledger, found {name!r}")
        found = [part.column(name) for part in self._parts]
        if name == "first_event":
            before = np.cumsum([0, *(part.event_count for part in self._parts)])[:-1]
            found = [values + first for values, first in zip(found, before, strict=True)]
        values = np.concatenate([np.empty(0, COLUMN_TYPES[name]), *found])
        if self._of is not None:
            values = values[self._of]
        if name in TEXT:
            return self._texts.numbered(name, values)
        return values - self._texts.origin_s if name in FLOATS else values

    def _event_s(self) -> Floats:
        return np.concatenate([np.empty(0), *(part.event_s() for part in self._parts)]) - self._texts.origin_s


class Texts:
    """The text columns of one source, as numbers that are the same for all sources of a load."""

    def __init__(self, number: int, source: Source, numbers: dict[str, int], strings: list[str]) -> None:
        """Of source `number`; `numbers` and `strings` are the load's, and get what comes up in a column."""
        self.number, self.numbers, self.strings = number, numbers, strings
        self.origin_s, self._parts = source.origin_s, source.parts
        self._known: dict[str, tuple[Ints, Codes]] = {}

    def numbered(self, column: str, codes: Codes) -> Codes:
        """The codes of a column in the source, shape (n,), as numbers of the load."""
        if column not in self._known:
            self._known[column] = self._learned(column)
        used, numbers = self._known[column]
        return numbers[np.searchsorted(used, codes)]

    def _learned(self, column: str) -> tuple[Ints, Codes]:
        found = [np.unique(part.column(column)) for part in self._parts]
        used = np.unique(np.concatenate([np.empty(0, np.int32), *found])).astype(np.int64)
        numbers = np.empty(len(used), np.int32)
        for place, text in enumerate(texts_of(self._parts)(used)):
            numbers[place] = number = self.numbers.setdefault(text, len(self.strings))
            if number == len(self.strings):
                self.strings.append(text)
        return used, numbers


Columns = Ledger | Piece  # of rows, as seatrial.ledger.Ledger describes them
