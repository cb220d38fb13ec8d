"""The ledgers of several workers written down as one, some ten thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.ledger import Floats, Ints
from seatrial.loads.pieces import Piece
from seatrial.loads.stage_rows import LoadRows, opened
from seatrial.traffic.chunk import COLUMN_TYPES, DTYPE, Chunk
from seatrial.traffic.fleet import apart
from seatrial.traffic.ledger_writer import write
from seatrial.traffic.recorder import VERBATIM

Row = NDArray[Any]  # of DTYPE

_ROWS_AT_ONCE, _ROWS_A_CHUNK = 1 << 16, 4096
_COPIED = tuple(name for name in COLUMN_TYPES if name not in (*VERBATIM, "first_event", "connection"))


def merge(workers: Sequence[tuple[int, Sequence[Path]]], members: int, out: Path) -> None:
    """All rows of workers' ledgers as one ledger, in the order of their schedule, without headers and bodies.

    Each worker has its place among `members`, by which its connections are told from the others'. Raises InputError
    for a file that is no ledger, InvalidMeasurement where the whole cannot be written.
    """
    places = [place for place, files in workers for _ in files]
    with opened([file for _, files in workers for file in files]) as rows:
        write(out, _chunks(rows, places, members), len(rows))


def _chunks(rows: LoadRows, places: Sequence[int], members: int) -> Iterator[Chunk]:
    """`places` are those of the sources."""
    every, texts = rows.every(), 0
    spans = [(int(at.min()), int(at.max())) for _, at in every.placed()]
    for first in range(0, len(every), _ROWS_AT_ONCE):
        packed = np.zeros(min(_ROWS_AT_ONCE, len(every) - first), DTYPE)
        taken = []  # pieces, which of their rows come here, and where
        for (piece, at), (low, high) in zip(every.placed(), spans, strict=True):
            if low < first + len(packed) and high >= first:
                which = np.flatnonzero((at >= first) & (at < first + len(packed)))
                taken.append((piece, which, at[which].astype(np.int64) - first))
        for piece, which, to in taken:
            for name in _COPIED:
                packed[name][to] = getattr(piece, name)[which]
            packed["connection"][to] = apart(piece.connection[which], places[piece.source], members)
        event_s = _events(taken, packed["events"])
        for start in range(0, len(packed), _ROWS_A_CHUNK):
            chunk = packed[start : start + _ROWS_A_CHUNK]
            ends = np.cumsum(chunk["events"], dtype=np.int64)
            chunk["first_event"] = ends - chunk["events"]
            events, event_s = np.split(event_s, [int(ends[-1])])
            yield Chunk(chunk, events, np.empty(0), texts, tuple(rows.strings[texts:]))
            texts = len(rows.strings)


def _events(taken: Sequence[tuple[Piece, Ints, Ints]], counts: Ints) -> Floats:
    """The arrivals of the events of rows that have so many each, one row after the other."""
    ends = np.cumsum(counts, dtype=np.int64)
    event_s = np.empty(int(ends[-1]))
    for piece, which, to in taken:
        its = piece.events[which]
        within = np.arange(its.sum()) - np.repeat(np.cumsum(its) - its, its)
        came = piece.event_s[np.repeat(piece.first_event[which], its) + within]
        event_s[np.repeat(ends[to] - counts[to], its) + within] = came
    return event_s
