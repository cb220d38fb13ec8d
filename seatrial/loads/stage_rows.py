"""The rows of a load, gone over in pieces.

What can be added up is added up piece by piece. What takes all values of a stage (quantiles, and how far requests hang
together) gets one column of them, in the order of the schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from seatrial.ledger import Floats, Mask
from seatrial.loads.pieces import Piece, Source, Texts
from seatrial.traffic.chunk import Part
from seatrial.traffic.ledger_file import LedgerFile

Places = NDArray[np.unsignedinteger[Any]]
Value = TypeVar("Value", np.float64, np.bool_)

_ROWS_AT_ONCE, _EVENTS_AT_ONCE = 1 << 16, 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Parts of one source that are read together, and which of their rows are wanted; None: all."""

    texts: Texts
    parts: Sequence[Part]
    of: Mask | None = None


class StageRows:
    """Rows of a load in the order of their schedule, of which no more is in memory than is being looked at."""

    def __init__(self, chosen: Sequence[Chosen], places: Places | None = None) -> None:
        """`places` says where each row comes, in the order of the pieces; None: by its schedule."""
        self._chosen = tuple(chosen)
        self._rows = sum(len(piece) for piece in self.pieces())
        if places is not None:
            self._places = places

    def __len__(self) -> int:
        return self._rows

    def pieces(self) -> Iterator[Piece]:
        """All rows, in pieces, by their ends."""
        return (Piece(each.texts, each.parts, each.of) for each in self._chosen)

    def placed(self) -> Iterator[tuple[Piece, Places]]:
        """The pieces, and the place of each row in the order of the schedule, from 0."""
        first = 0
        for piece in self.pieces():
            yield piece, self._places[first : first + len(piece)]
            first += len(piece)

    def count(self, of: Callable[[Piece], Mask]) -> int:
        """In how many rows it holds."""
        return sum(int(of(piece).sum()) for piece in self.pieces())

    def values(self, of: Callable[[Piece], Floats]) -> Floats:
        """One value of each row, shape (n,), in the order of the schedule."""
        return self._in_order(of, np.empty(len(self)))

    def mask(self, of: Callable[[Piece], Mask]) -> Mask:
        """Whether something holds of each row, shape (n,), in the order of the schedule."""
        return self._in_order(of, np.empty(len(self), np.bool_))

    def in_order_of(self, key: Callable[[Piece], Floats]) -> StageRows:
        """The same rows by another value, NaN last; those in which it is equal stay in their order."""
        return StageRows(self._chosen, _ranks(self.values(key))[self._places])

    def _in_order(self, of: Callable[[Piece], NDArray[Value]], whole: NDArray[Value]) -> NDArray[Value]:
        for piece, places in self.placed():
            whole[places] = of(piece)
        return whole

    @cached_property
    def _places(self) -> Places:
        scheduled_s, first = np.empty(len(self)), 0
        for piece in self.pieces():
            scheduled_s[first : first + len(piece)] = piece.scheduled_s
            first += len(piece)
        return _ranks(scheduled_s)


class LoadRows:
    """All rows of a load, from its ledgers."""

    def __init__(self, sources: Sequence[Source]) -> None:
        numbers = {"": 0}
        self.strings = [""]  # what the text columns stand for that were asked for so far
        self._chosen = [
            Chosen(texts, parts)
            for number, source in enumerate(sources)
            for texts in [Texts(number, source, numbers, self.strings)]
            for parts in _together(source.parts)
        ]
        self._of: dict[str, StageRows] = {}

    def __len__(self) -> int:
        return len(self.every())

    def every(self) -> StageRows:
        """All of them."""
        return StageRows(self._chosen)

    def of(self, load: str) -> StageRows:
        """The rows of a stage, or of the warm-up."""
        if load not in self._of:
            self._of[load] = StageRows(list(self._chosen_of(load)))
        return self._of[load]

    def _chosen_of(self, load: str) -> Iterator[Chosen]:
        for each in self._chosen:
            piece = Piece(each.texts, each.parts)
            wanted = piece.load == piece.code(load)
            if wanted.any():
                yield Chosen(each.texts, each.parts, None if wanted.all() else wanted)


@contextmanager
def opened(ledgers: Iterable[Path]) -> Iterator[LoadRows]:
    """The rows of these files, as long as it lasts. Raises InputError for one that is no ledger."""
    with ExitStack() as stack:
        yield LoadRows([stack.enter_context(LedgerFile(file)) for file in ledgers])


def _together(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Some ten thousand rows each, for each has a cost of its own; fewer where they have many events."""
    waiting: list[Part] = []
    rows = events = 0
    for part in parts:
        waiting.append(part)
        rows, events = rows + part.rows, events + part.event_count
        if rows >= _ROWS_AT_ONCE or events >= _EVENTS_AT_ONCE:
            yield waiting
            waiting, rows, events = [], 0, 0
    if rows:
        yield waiting


def _ranks(keys: Floats) -> Places:
    """The place of each key among all, from 0; equal ones keep their order."""
    order = np.argsort(keys, kind="stable")
    ranks = np.empty(len(keys), np.min_scalar_type(len(keys)))
    ranks[order] = np.arange(len(keys), dtype=ranks.dtype)
    return ranks
