"""How loads travel to the generator that sends them: as JSON, but for what there is of each arrival."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from seatrial.traffic.plan import (
    ChosenTarget,
    ClosedLoop,
    Connects,
    Exchange,
    Load,
    Lone,
    OpenLoop,
    PodTarget,
    Poll,
    ServiceTarget,
    Source,
)

_LOADS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in (OpenLoop, ClosedLoop, Lone, Connects, Poll)}
_TARGETS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in (PodTarget, ServiceTarget, ChosenTarget)}


# What there is of each arrival, and how it travels: ten million arrivals as JSON would take a gigabyte to read.
_EACH: Mapping[str, str] = {"arrivals_s": "<f8", "picks": "<i4", "groups": "<i8"}


def encode(loads: Sequence[Load]) -> bytes:
    """The loads: a line of JSON, and behind it the arrays of all loads, in the order in which they are named in it."""
    arrays: list[NDArray[Any]] = []
    line = orjson.dumps([_encoded(load, arrays) for load in loads])
    # The arrays begin on a multiple of 8 bytes, and so does each of them: a pick takes half of that.
    padded = line.ljust(-(-(len(line) + 1) // 8) * 8 - 1) + b"\n"
    return b"".join([padded, *(piece for array in arrays for piece in _bytes(array))])


def decode(data: bytes | bytearray) -> list[Load]:
    """The loads that `encode` wrote; their arrays are views of `data`."""
    end = data.find(b"\n")
    line, at = (data, len(data)) if end < 0 else (memoryview(data)[:end], end + 1)
    loads = []
    for entry in orjson.loads(line):
        for name, dtype in _EACH.items():
            if name in entry:
                count = entry[name]
                entry[name] = np.frombuffer(data, dtype, count, at) if count else ()
                at += -(-np.dtype(dtype).itemsize * count // 8) * 8
        loads.append(_decoded(entry))
    return loads


def _bytes(array: NDArray[Any]) -> tuple[memoryview | bytes, bytes]:
    """An array's own bytes, and what is missing to a multiple of 8 of them."""
    data = np.ascontiguousarray(array).data.cast("B") if len(array) else b""
    return data, b"\0" * (-len(data) % 8)


def _encoded(load: Load, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    entry = _shallow(load)
    entry["target"] = _shallow(load.target)
    for name, dtype in _EACH.items():
        if name in entry:
            array = np.asarray(entry[name], dtype)
            entry[name] = len(array)
            arrays.append(array)
    if not isinstance(load, Connects):
        # Hundreds of requests have the same adapter: it travels once.
        sources = list(dict.fromkeys(exchange.source for exchange in load.exchanges if exchange.source is not None))
        entry["sources"] = [_shallow(source) for source in sources]
        entry["exchanges"] = [_encoded_exchange(exchange, sources) for exchange in load.exchanges]
    return entry


def _encoded_exchange(exchange: Exchange, sources: Sequence[Source]) -> dict[str, Any]:
    if exchange.credentials is not None:
        raise ValueError(f"exchange {exchange.case}: expected its credentials in its headers, found them not filled in")
    entry = {**_shallow(exchange), "body": base64.b64encode(exchange.body).decode()}
    entry["source"] = None if exchange.source is None else sources.index(exchange.source)
    return entry


def _shallow(value: Any) -> dict[str, Any]:
    entry = {field.name: getattr(value, field.name) for field in fields(value)}
    return {"kind": type(value).__name__, **entry}


def _decoded(entry: dict[str, Any]) -> Load:
    entry["target"] = _built(_TARGETS, entry["target"])
    if "exchanges" in entry:
        sources = [Source(source["file"], source["text"]) for source in entry.pop("sources")]
        entry["exchanges"] = tuple(_exchange(exchange, sources) for exchange in entry["exchanges"])
    load: Load = _built(_LOADS, entry)
    return load


def _exchange(entry: dict[str, Any], sources: Sequence[Source]) -> Exchange:
    entry.pop("kind")
    if entry["source"] is not None:
        entry["source"] = sources[entry["source"]]
    entry["body"] = base64.b64decode(entry["body"])
    entry["headers"] = tuple((name, value) for name, value in entry["headers"])
    return Exchange(**entry)


def _built(kinds: Mapping[str, type[Any]], entry: dict[str, Any]) -> Any:
    kind = kinds[entry.pop("kind")]
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()})
