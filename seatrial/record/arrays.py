"""A ledger as one compressed .npz file, exact to the bit and without pickles."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import InputError, in_words
from seatrial.ledger import COLUMNS, NUMBER_DEFAULTS, TEXT, Ledger
from seatrial.record import schema_1

# Columns that records of schema 1 did not have from the first, and what stands for them there.
_ADDED: dict[str, float] = {
    name: NUMBER_DEFAULTS.get(name, 0) for name in ("input_tokens", "output_tokens", "first_event", "events")
}
# And those that earlier records of this schema did not have; text 0 is the empty one.
_ADDED |= {"problem": 0, "counted": 0, "closed_s": np.nan}


def ledger_to_bytes(ledger: Ledger) -> bytes:
    """The columns by name, and the strings as one array of UTF-8 JSON."""
    # ASCII-only JSON also carries lone surrogates, which a broken answer's body may hold.
    strings = np.frombuffer(json.dumps(list(ledger.strings)).encode("ascii"), dtype=np.uint8)
    buffer = io.BytesIO()
    columns = {name: getattr(ledger, name) for name in COLUMNS}
    np.savez_compressed(buffer, strings=strings, event_s=ledger.event_s, **columns)
    return buffer.getvalue()


def ledger_from_file(path: Path) -> Ledger:
    """Raises InputError if the file is missing, cut short or lacks a column."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            strings = json.loads(stored["strings"].tobytes())
            columns: dict[str, Any] = {name: _column(stored, name) for name in COLUMNS}
            event_s = stored["event_s"] if "event_s" in stored else np.empty(0)
            return Ledger(**columns, strings=tuple(strings), event_s=event_s)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: expected a ledger with the columns {', '.join(COLUMNS)}, found {in_words(error)}; "
            "take the record from its source again"
        ) from error


def _column(stored: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    if name in stored:
        return stored[name]
    if name in _ADDED:
        return np.full(len(stored["row"]), _ADDED[name], np.int32 if name in TEXT else None)
    return stored[schema_1.COLUMNS.get(name, name)]
