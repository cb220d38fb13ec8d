"""A ledger as one compressed .npz file, exact to the bit and without pickles."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from seatrial.errors import InputError
from seatrial.observation import COLUMNS, Ledger


def ledger_to_bytes(ledger: Ledger) -> bytes:
    """The columns by name, and the strings as one array of UTF-8 JSON."""
    # ASCII-only JSON also carries lone surrogates, which a broken answer's body may hold.
    strings = np.frombuffer(json.dumps(list(ledger.strings)).encode("ascii"), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, strings=strings, **{name: getattr(ledger, name) for name in COLUMNS})
    return buffer.getvalue()


def ledger_from_file(path: Path) -> Ledger:
    """Raises InputError if the file is missing, cut short or lacks a column."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            strings = json.loads(stored["strings"].tobytes())
            return Ledger(**{name: stored[name] for name in COLUMNS}, strings=tuple(strings))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: expected a ledger with the columns {', '.join(COLUMNS)}, found {error!r}; "
            "take the record from its source again"
        ) from error
