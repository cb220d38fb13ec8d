"""A folder that somebody writes to, copied as it grows: what changed since the last look, and that applied elsewhere.

Ledgers only grow, but for their first bytes, which say how the writing ended: of them, what is new is copied. All other
files are small, and copied whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seatrial.traffic.ledger_file import PREAMBLE_BYTES

GROWING = ".chunks"
DRAFT = ".tmp"
_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file, from `at` on; without `at` they are all of it. The file ends at `size`, where that is given."""

    file: str
    data: bytes
    at: int | None = None
    size: int | None = None


class Mirrored:
    """The source: call `changes` again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._states: dict[str, tuple[int, int, int]] = {}
        self._heads: dict[str, bytes] = {}
        self._sent: dict[str, int] = {}

    def changes(self) -> Iterator[Piece]:
        """What was written since the last call; the ledgers first."""
        files = sorted(self._folder.iterdir(), key=lambda file: (file.suffix != GROWING, file.name))
        for file in files:
            if file.is_file() and file.suffix != DRAFT:
                yield from self._grown(file) if file.suffix == GROWING else self._changed(file)

    def _changed(self, file: Path) -> Iterator[Piece]:
        found = file.stat()
        state = (found.st_ino, found.st_size, found.st_mtime_ns)
        if self._states.get(file.name) != state:
            self._states[file.name] = state
            yield Piece(file.name, file.read_bytes())

    def _grown(self, file: Path) -> Iterator[Piece]:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            sent = min(self._sent.get(file.name, 0), size)
            opened.seek(sent)
            while data := opened.read(min(_AT_ONCE, size - sent)):
                yield Piece(file.name, data, sent)
                sent += len(data)
            opened.seek(0)
            head = opened.read(PREAMBLE_BYTES)
        if size < self._sent.get(file.name, 0) or head != self._heads.get(file.name):
            yield Piece(file.name, head, 0, size)
        self._sent[file.name], self._heads[file.name] = sent, head


def apply(piece: Piece, folder: Path) -> None:
    """Write a piece into the copy. Files that are copied whole change at once. Raises OSError."""
    file = folder / piece.file
    if piece.at is None:
        draft = file.with_name(file.name + DRAFT)
        draft.write_bytes(piece.data)
        draft.replace(file)
        return
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644), "wb") as opened:
        opened.seek(piece.at)
        opened.write(piece.data)
        if piece.size is not None:
            opened.truncate(piece.size)
