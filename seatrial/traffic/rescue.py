"""Rows on disk while a run goes on, so that those of a process that is killed are not lost with it.

Each piece is its length in 8 bytes, least significant first, and a ledger as `recorder.pack` writes it.
"""

from __future__ import annotations

from pathlib import Path

from seatrial.observation import Ledger, joined
from seatrial.traffic.recorder import pack, unpack

_LENGTH = 8


def append(file: Path, rows: Ledger) -> None:
    """Add rows to the end of the file. Raises OSError where it cannot be written."""
    piece = pack(rows)
    with file.open("ab") as out:
        out.write(len(piece).to_bytes(_LENGTH, "little") + piece)


def rescued(file: Path) -> Ledger:
    """All rows of the whole pieces in the file; none where there is no file."""
    data = file.read_bytes() if file.is_file() else b""
    parts = []
    at = 0
    while (end := at + _LENGTH + int.from_bytes(data[at : at + _LENGTH], "little")) <= len(data):
        parts.append(unpack(data[at + _LENGTH : end]))
        at = end
    return joined(parts)
