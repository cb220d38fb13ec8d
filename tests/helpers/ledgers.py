"""Ledgers of made-up rows as the parts that a file has them in."""

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from seatrial.ledger import joined
from seatrial.loads.stage_rows import LoadRows
from seatrial.traffic.chunk import COLUMN_TYPES, DTYPE, Chunk
from seatrial.traffic.ledger_file import LedgerFile
from seatrial.traffic.recorder import VERBATIM


@dataclass(frozen=True)
class InMemory:
    """A source of rows, without a file."""

    parts: tuple[Chunk, ...]
    origin_s: float = 0.0


def chunks(whole, at_once=4096):
    """The rows of a ledger in their order, so many in each chunk."""
    for first in range(0, len(whole), at_once):
        rows = slice(first, first + at_once)
        packed = np.zeros(len(whole.row[rows]), DTYPE)
        for name in COLUMN_TYPES:
            packed[name] = getattr(whole, name)[rows]
        counts = whole.events[rows]
        before = np.cumsum(counts) - counts
        events = whole.event_s[np.repeat(whole.first_event[rows] - before, counts) + np.arange(counts.sum())]
        packed["first_event"] = before
        # All texts come with the first chunk.
        new_at, texts = (len(whole.strings), ()) if first else (0, whole.strings)
        yield Chunk(packed, events, np.empty(0), new_at, texts)


def load_rows(*ledgers, at_once=4096):
    """The rows of a load that left these ledgers."""
    return LoadRows([InMemory(tuple(chunks(each, at_once))) for each in ledgers])


def stage_rows(whole, at_once=4096):
    """All rows of a ledger, as those of one stage."""
    return load_rows(whole, at_once=at_once).every()


def whole_of(files):
    """All rows of these files in memory, without headers and bodies."""
    with ExitStack() as stack:
        return joined(stack.enter_context(LedgerFile(file)).ledger(without=VERBATIM) for file in files)
