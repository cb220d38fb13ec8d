"""A ledger on disk: written in chunks while the run goes on, and readable up to the last whole one at any time.

The file begins with one line of JSON, padded with spaces to 4096 bytes, that names the columns and says how the
writing ended. Chunks follow. Each has a head of 64 bytes (`_HEAD`) and then, each on a multiple of 8 bytes: its
columns one after the other, the arrivals of events, the start lags, and the texts that came up first, as a JSON
list. Numbers are little-endian. Text columns hold codes: the texts of all chunks, one after the other, from code 0.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from seatrial.errors import InputError
from seatrial.ledger import Floats, Ledger
from seatrial.traffic.chunk import COLUMN_TYPES, Part, assembled, texts_of
from seatrial.traffic.order_statistics import quantiles

SCHEMA = "seatrial.ledger/v1"
WHOLE = "whole"
PREAMBLE_BYTES = 4096
# Magic, rows, events, lags, first text's code, texts, bytes of texts, CRC-32 of what follows, of this head till here.
_HEAD = struct.Struct("<8sQQQQQQII")
_HEAD_SEALED = _HEAD.size - 4
_MAGIC = b"STLEDGER"
_FLOAT = np.dtype("<f8")
_RENAMED = {"stream": "load"}  # columns of earlier files, in the same place
_ADDED = {"closed_s": np.nan, "problem": 0, "counted": 0}  # since those files, and what stands for them there


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file: of each its type, and how many of 8 and of 4 bytes are before it in a chunk."""

    columns: Mapping[str, tuple[np.dtype[Any], int, int]]
    wide: int  # all that have 8 bytes
    narrow: int  # and 4

    @classmethod
    def of(cls, types: Mapping[str, np.dtype[Any]]) -> Self:
        """Columns in this order."""
        columns, wide, narrow = {}, 0, 0
        for name, dtype in types.items():
            columns[name] = (dtype, wide, narrow)
            wide, narrow = wide + (dtype.itemsize == 8), narrow + (dtype.itemsize == 4)
        return cls(columns, wide, narrow)


_CURRENT = Layout.of(COLUMN_TYPES)


@dataclass(frozen=True, slots=True)
class Frame:
    """A chunk in a file: columns are read when they are asked for, and let go with the array."""

    file: int
    offset: int  # of its head
    rows: int
    event_count: int
    lags: int
    first_text: int
    text_count: int
    text_bytes: int
    sum: int
    layout: Layout

    @property
    def size(self) -> int:
        """Bytes, the head included."""
        return _HEAD.size + self._texts_at() + _padded(self.text_bytes)

    def column(self, name: str) -> NDArray[Any]:
        if (found := self.layout.columns.get(name)) is not None:
            dtype, wide, narrow = found
            return self._array(self._behind(wide, narrow), dtype, self.rows)
        if name in _ADDED:
            return np.full(self.rows, _ADDED[name], COLUMN_TYPES[name])
        raise KeyError(f"expected a column of the ledger, found {name!r}; the columns are {', '.join(COLUMN_TYPES)}")

    def event_s(self) -> Floats:
        return self._array(self._events_at(), _FLOAT, self.event_count)

    def lag_s(self) -> Floats:
        return self._array(self._events_at() + self.event_count * 8, _FLOAT, self.lags)

    def texts(self) -> Sequence[str]:
        found: list[str] = orjson.loads(os.pread(self.file, self.text_bytes, self._start + self._texts_at()))
        return found

    def intact(self) -> bool:
        """What was written is what is there."""
        data = os.pread(self.file, self.size - _HEAD.size, self._start)
        return len(data) == self.size - _HEAD.size and zlib.crc32(data) == self.sum

    @property
    def _start(self) -> int:
        return self.offset + _HEAD.size

    def _events_at(self) -> int:
        return self._behind(self.layout.wide, self.layout.narrow)

    def _behind(self, wide: int, narrow: int) -> int:
        """Where so many columns of 8 and of 4 bytes end."""
        return wide * 8 * self.rows + narrow * _padded(4 * self.rows)

    def _texts_at(self) -> int:
        return self._events_at() + (self.event_count + self.lags) * 8

    def _array(self, at: int, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        # Not mapped: each mapping has a descriptor of its own, and a long run has thousands of chunks.
        return np.frombuffer(os.pread(self.file, count * dtype.itemsize, self._start + at), dtype, count)


class LedgerFile:
    """The whole chunks of a ledger's file; what was cut short behind them is left out, and `torn` says so.

    `end` is "whole" after a run that was recorded to its end, why recording stopped where it did, and None where
    nobody said: the run was killed, or goes on. Raises InputError for a file that is none, or of another layout.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as reason:
            raise InputError(f"{path}: expected a ledger, found {reason.strerror}; name the file of a run") from reason
        try:
            said = _said_by(path, os.pread(self._file, PREAMBLE_BYTES, 0))
        except (InputError, OSError):
            os.close(self._file)
            raise
        self.origin_s: float = said["origin_s"]
        self.end: str | None = said["end"]
        size = os.fstat(self._file).st_size
        self.parts: tuple[Frame, ...] = tuple(_frames(self._file, size, said["layout"]))
        # Only the last one can be there in name and not in all of its bytes: power failed before they were on disk.
        if self.parts and not self.parts[-1].intact():
            self.parts = self.parts[:-1]
        last = self.parts[-1] if self.parts else None
        self.torn = size != (last.offset + last.size if last else PREAMBLE_BYTES)

    def __enter__(self) -> LedgerFile:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def __len__(self) -> int:
        return sum(part.rows for part in self.parts)

    def close(self) -> None:
        """Let go of the file; arrays that were read stay good."""
        os.close(self._file)

    def chunks(self, *names: str) -> Iterator[tuple[NDArray[Any], ...]]:
        """Some columns, chunk by chunk, as they were recorded and in the order of the rows' ends."""
        for part in self.parts:
            yield tuple(part.column(name) for name in names)

    def column(self, name: str) -> NDArray[Any]:
        """One column, shape (n,), as `chunks` has it; the others are not read."""
        whole = np.empty(len(self), COLUMN_TYPES[name])
        at = 0
        for (values,) in self.chunks(name):
            whole[at : at + len(values)] = values
            at += len(values)
        return whole

    def latency_quantiles(self, qs: Sequence[float]) -> list[float]:
        """Exact quantiles of the time from schedule to end, over all rows that ended, whatever the answer."""

        def latencies() -> Iterator[Floats]:
            for ended_s, scheduled_s in self.chunks("ended_s", "scheduled_s"):
                latency_s = ended_s - scheduled_s
                yield latency_s[~np.isnan(latency_s)]

        return quantiles(latencies, qs)

    def ledger(self, without: Collection[str] = ()) -> Ledger:
        """All rows in memory, on the run's clock; text columns named in `without` are "" throughout."""
        return assembled(self.parts, self.origin_s, texts_of(self.parts), without=without)


def preamble(origin_s: float, end: str | None) -> bytes:
    """The first bytes of a file whose run's clock has its second 0 at origin_s of the recorder's."""
    columns = [[name, dtype.str] for name, dtype in COLUMN_TYPES.items()]
    said = {"schema": SCHEMA, "origin_s": origin_s, "end": end, "columns": columns}
    while len(line := orjson.dumps(said)) >= PREAMBLE_BYTES and end:
        said["end"] = end = end[: len(end) // 2]
    return line.ljust(PREAMBLE_BYTES - 1) + b"\n"


def frame_bytes(part: Part) -> bytes:
    """A part as it stands in the file."""
    texts = orjson.dumps(part.texts())
    events, lags = part.event_s(), part.lag_s()
    sections = [part.column(name).tobytes() for name in COLUMN_TYPES]
    sections += [np.ascontiguousarray(values, _FLOAT).tobytes() for values in (events, lags)]
    body = b"".join(section.ljust(_padded(len(section)), b"\0") for section in [*sections, texts])
    head = _HEAD.pack(
        _MAGIC, part.rows, len(events), len(lags), part.first_text, part.text_count, len(texts), zlib.crc32(body), 0
    )[:_HEAD_SEALED]
    return head + struct.pack("<I", zlib.crc32(head)) + body


def frame_at(file: int, offset: int, layout: Layout = _CURRENT) -> Frame | None:
    """The chunk whose head is there, with the columns of its file; None where there is no whole head."""
    head = os.pread(file, _HEAD.size, offset)
    if len(head) < _HEAD.size or not head.startswith(_MAGIC):
        return None
    _, rows, events, lags, first_text, texts, text_bytes, body_sum, head_sum = _HEAD.unpack(head)
    if zlib.crc32(head[:_HEAD_SEALED]) != head_sum:
        return None
    return Frame(file, offset, rows, events, lags, first_text, texts, text_bytes, body_sum, layout)


def _frames(file: int, size: int, layout: Layout) -> Iterator[Frame]:
    offset = PREAMBLE_BYTES
    while (frame := frame_at(file, offset, layout)) is not None and offset + frame.size <= size:
        yield frame
        offset += frame.size


def _said_by(path: Path, data: bytes) -> dict[str, Any]:
    found: Any = None
    with contextlib.suppress(orjson.JSONDecodeError):
        found = orjson.loads(data)
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise InputError(f"{path}: expected a ledger of layout {SCHEMA}, found other content; name the file of a run")
    layout = {_RENAMED.get(name, name): np.dtype(dtype) for name, dtype in found["columns"]}
    current, earlier = list(COLUMN_TYPES.items()), [c for c in COLUMN_TYPES.items() if c[0] not in _ADDED]
    if list(layout.items()) not in (current, earlier):
        raise InputError(
            f"{path}: expected the columns {', '.join(COLUMN_TYPES)}, found {found['columns']}; "
            "read it with the version of Seatrial that wrote it"
        )
    found["layout"] = Layout.of(layout)
    return found


def _padded(size: int) -> int:
    return -(-size // 8) * 8
