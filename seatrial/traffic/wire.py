"""Messages between runner and agent: lines of ASCII, each below 64 KiB, so that any byte pipe carries them.

A line is a JSON object with the message's id and fields. A payload of any size travels compressed, in
base64, cut over as many lines as it needs; the message is whole when its last part has come. Neither side holds
a payload in more than one form.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

LINE_LIMIT = 60_000
_PART = 33_750  # bytes, 45,000 in base64
_COMPRESSED_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Message:
    """`id` ties an answer to its question; `fields` hold ASCII text and numbers."""

    id: int
    fields: dict[str, Any] = field(default_factory=dict)
    payload: bytes | bytearray = b""


def encode(message: Message) -> bytes:
    """The lines of one message."""
    return b"".join(lines(message))


def lines(message: Message) -> Iterator[bytes]:
    """The lines of one message, one after the other, each with its end."""
    fields: dict[str, Any] | None = message.fields
    for part, last in _parts(message.payload):
        head: dict[str, Any] = {"id": message.id, "last": last, "data": base64.b64encode(part).decode()}
        if fields is not None:
            head["fields"] = fields
        line = orjson.dumps(head)
        if len(line) > LINE_LIMIT:
            raise ValueError(f"expected fields below {LINE_LIMIT - len(head['data'])} bytes, found {len(line)} in all")
        fields = None
        yield line + b"\n"


class Decoder:
    """Puts lines together again; parts of different messages may interleave."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[dict[str, Any], bytearray, Any]] = {}

    def line(self, line: bytes) -> Message | None:
        """The message that this line completes, else None. Raises ValueError for a line that is none of ours."""
        head = orjson.loads(line)
        if not isinstance(head, dict) or not {"id", "last", "data"} <= head.keys():
            raise ValueError(f"expected a message of the agent, found {line[:80]!r}")
        if head["id"] not in self._open:
            self._open[head["id"]] = (head.get("fields", {}), bytearray(), zlib.decompressobj())
        fields, payload, inflate = self._open[head["id"]]
        try:
            payload += inflate.decompress(base64.b64decode(head["data"]))
        except zlib.error as reason:
            raise ValueError(f"expected compressed data, found {reason} in {line[:80]!r}") from reason
        if not head["last"]:
            return None
        del self._open[head["id"]]
        if head["data"] and not inflate.eof:
            raise ValueError(f"expected compressed data to its end, found it cut short by {line[:80]!r}")
        return Message(head["id"], fields, payload)


def _parts(payload: bytes | bytearray) -> Iterator[tuple[bytes, bool]]:
    """The compressed payload in pieces, and whether each is the last; an empty one is one empty piece."""
    waiting = b""
    for piece in _compressed(payload):
        waiting += piece
        while len(waiting) > _PART:
            yield waiting[:_PART], False
            waiting = waiting[_PART:]
    yield waiting, True


def _compressed(payload: bytes | bytearray) -> Iterator[bytes]:
    if payload:
        deflate = zlib.compressobj(1)
        view = memoryview(payload)
        for at in range(0, len(view), _COMPRESSED_AT_ONCE):
            yield deflate.compress(view[at : at + _COMPRESSED_AT_ONCE])
        yield deflate.flush()
