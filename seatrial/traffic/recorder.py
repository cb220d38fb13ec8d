"""Rows of finished attempts, and the ledger that is made of them."""

from __future__ import annotations

import io
from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from seatrial.observation import COLUMNS, FLOATS, TEXT, UNJUDGED, Ledger

NAN = float("nan")
_ROW_COLUMNS = tuple(name for name in COLUMNS if name != "row")


@dataclass(slots=True)
class Row:
    """One attempt while it runs; times are the agent's monotonic seconds, NaN for what has not happened."""

    stream: str
    case: str = ""
    target: str = ""
    pod: str = ""
    group: int = 0
    scheduled_s: float = NAN
    sent_s: float = NAN
    connected_s: float = NAN
    body_sent_s: float = NAN
    first_byte_s: float = NAN
    ended_s: float = NAN
    status: int = 0
    error: str = ""
    correct: int = UNJUDGED
    connection: int = -1
    local_port: int = 0
    received_bytes: int = 0
    headers: str = ""
    body: str = ""


class Recorder:
    """Ended attempts in columns: to add one costs microseconds, and a ledger of all of them is a copy.

    Making a ledger of row objects would hold up the event loop, and with it whatever else is due just then.
    """

    def __init__(self) -> None:
        self._strings: dict[str, int] = {"": 0}
        self._columns: dict[str, array[float] | array[int]] = {
            name: array("d" if name in FLOATS else "i" if name in TEXT else "q") for name in _ROW_COLUMNS
        }

    def __len__(self) -> int:
        return len(self._columns["scheduled_s"])

    def add(self, row: Row) -> None:
        """Keep an attempt that has ended."""
        strings = self._strings
        for name, column in self._columns.items():
            value = getattr(row, name)
            column.append(strings.setdefault(value, len(strings)) if name in TEXT else value)

    def ledger(self, origin_s: float, first: int = 0) -> Ledger:
        """The rows from number `first` on, in the order of their scheduled times, which count from origin_s."""
        columns = {name: np.array(column[first:]) for name, column in self._columns.items()}
        order = np.argsort(columns["scheduled_s"], kind="stable")
        whole: dict[str, Any] = {name: column[order] for name, column in columns.items()}
        for name in FLOATS:
            whole[name] -= origin_s
        # Only the texts of these rows, the empty one first: headers may be as many as rows.
        used = np.unique(np.concatenate([[0], *(whole[name] for name in TEXT)]))
        for name in TEXT:
            whole[name] = np.searchsorted(used, whole[name]).astype(np.int32)
        texts = list(self._strings)
        return Ledger(row=np.arange(len(order)), **whole, strings=tuple(texts[code] for code in used.tolist()))


def pack(whole: Ledger) -> bytes:
    """The ledger as an npz archive; it is not compressed, the wire does that."""
    columns = {name: getattr(whole, name) for name in COLUMNS}
    buffer = io.BytesIO()
    np.savez(buffer, **columns, strings=np.frombuffer(orjson.dumps(list(whole.strings)), dtype=np.uint8))
    return buffer.getvalue()


def unpack(data: bytes) -> Ledger:
    """The ledger that `pack` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        columns: dict[str, Any] = {name: archive[name] for name in COLUMNS}
        strings = tuple(orjson.loads(archive["strings"].tobytes()))
    return Ledger(**columns, strings=strings)
