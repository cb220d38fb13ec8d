"""Rows of finished attempts, and the ledger that is made of them."""

from __future__ import annotations

import io
import struct
from array import array
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from seatrial.observation import COLUMNS, FLOATS, TEXT, Floats, Ledger

NAN = float("nan")
_CHUNK_ROWS = 4096
# In the order of `add`'s arguments: times, counts, then what fits 32 bits (text columns are codes of their strings).
_TIMES = ("scheduled_s", "sent_s", "connected_s", "body_sent_s", "first_byte_s", "ended_s")
_WIDE = ("group", "connection", "received_bytes", "first_event")
_NARROW = (
    "stream", "case", "target", "pod", "status", "error", "correct", "local_port", "headers", "body",
    "input_tokens", "output_tokens", "events",
)  # fmt: skip
_ROW = struct.Struct(f"<{len(_TIMES)}d{len(_WIDE)}q{len(_NARROW)}i")
_DTYPE = np.dtype(
    [(name, "<f8") for name in _TIMES] + [(name, "<i8") for name in _WIDE] + [(name, "<i4") for name in _NARROW]
)
_pack_into = _ROW.pack_into


class Recorder:
    """Ended attempts: to add one is to pack it into the end of a chunk, and a ledger of all of them is a copy.

    Making a ledger of row objects would hold up the event loop, and with it whatever else is due just then.
    """

    def __init__(self) -> None:
        self.event_s = array("d")  # arrivals of the events of streams, those of one row together
        self._strings: dict[str, int] = {"": 0}
        self._full: list[bytearray] = []
        self._chunk = bytearray(_ROW.size * _CHUNK_ROWS)
        self._at = 0

    def __len__(self) -> int:
        return len(self._full) * _CHUNK_ROWS + self._at // _ROW.size

    def code(self, text: str) -> int:
        """The number that stands for a text in this recorder's rows."""
        known = self._strings.get(text)
        return self._strings.setdefault(text, len(self._strings)) if known is None else known

    def add(self, *row: float) -> None:
        """Keep an attempt that has ended: what `_TIMES`, `_WIDE` and `_NARROW` name, in their order.

        Times are the agent's monotonic seconds, NaN for what has not happened.
        """
        _pack_into(self._chunk, self._at, *row)
        self._at += _ROW.size
        if self._at == len(self._chunk):
            self._full.append(self._chunk)
            self._chunk = bytearray(len(self._chunk))
            self._at = 0

    def column(self, name: str) -> Floats:
        """One of the times, as it was recorded, of all rows in the order of their ends."""
        column: Floats = self._rows(0)[name]
        return column

    def ledger(self, origin_s: float, first: int = 0) -> Ledger:
        """The rows from number `first` on, in the order of their scheduled times, which count from origin_s."""
        rows = self._rows(first)
        # Of the events only those of these rows, which are the last ones as the rows are.
        skipped = int(rows["first_event"][0]) if len(rows) else 0
        event_s = np.array(self.event_s[skipped:]) - origin_s
        rows = rows[np.argsort(rows["scheduled_s"], kind="stable")]
        whole: dict[str, Any] = {
            **{name: rows[name] - origin_s if name in FLOATS else rows[name].copy() for name in _TIMES + _WIDE},
            **{name: rows[name].astype(np.int32 if name in TEXT else np.int64) for name in _NARROW},
        }
        whole["first_event"] -= skipped
        # Only the texts of these rows, the empty one first: headers may be as many as rows.
        used = np.unique(np.concatenate([[0], *(whole[name] for name in TEXT)]))
        for name in TEXT:
            whole[name] = np.searchsorted(used, whole[name]).astype(np.int32)
        texts = list(self._strings)
        used_texts = tuple(texts[code] for code in used.tolist())
        return Ledger(row=np.arange(len(rows)), **whole, strings=used_texts, event_s=event_s)

    def _rows(self, first: int) -> NDArray[Any]:
        skipped, rest = divmod(first, _CHUNK_ROWS)
        chunks = [*self._full, self._chunk[: self._at]][skipped:]
        whole: NDArray[Any] = np.concatenate([np.frombuffer(chunk, _DTYPE) for chunk in chunks])
        return whole[rest:]


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


def unpack(data: bytes) -> Ledger:
    """The ledger that `pack` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        columns: dict[str, Any] = {name: archive[name] for name in COLUMNS}
        strings = tuple(orjson.loads(archive["strings"].tobytes()))
        event_s = archive["event_s"]
    return Ledger(**columns, strings=strings, event_s=event_s)
