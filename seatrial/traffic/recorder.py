"""Rows of finished attempts, and the ledger that is made of them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson

from seatrial.observation import COLUMNS, FLOATS, UNJUDGED, Ledger, ledger

NAN = float("nan")


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


def recorded(rows: Iterable[Row], origin_s: float) -> Ledger:
    """The rows as a ledger in the order of their scheduled times, which then count from origin_s."""
    ordered = sorted(rows, key=lambda row: row.scheduled_s)
    whole = ledger(asdict(row) for row in ordered)
    for name in FLOATS:
        getattr(whole, name).__isub__(origin_s)
    return whole


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
