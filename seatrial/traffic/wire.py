"""Messages between runner and agent: lines of ASCII, each below 64 KiB, so that any byte pipe carries them.

A line is a JSON object with the message's id and fields. A payload of any size travels compressed, in
base64, cut over as many lines as it needs; the message is whole when its last part has come.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, field
from typing import Any

import orjson

LINE_LIMIT = 60_000
_PART = 45_000


@dataclass(frozen=True, slots=True)
class Message:
    """`id` ties an answer to its question; `fields` hold ASCII text and numbers."""

    id: int
    fields: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""


def encode(message: Message) -> bytes:
    """The lines of one message."""
    packed = base64.b64encode(zlib.compress(message.payload, 1)).decode() if message.payload else ""
    parts = [packed[at : at + _PART] for at in range(0, len(packed), _PART)] or [""]
    lines = []
    for number, part in enumerate(parts):
        head = {"id": message.id, "part": number, "of": len(parts), "data": part}
        if number == 0:
            head["fields"] = message.fields
        lines.append(orjson.dumps(head))
    if len(lines[0]) > LINE_LIMIT:
        raise ValueError(f"expected fields below {LINE_LIMIT - _PART} bytes, found {len(lines[0]) - _PART}")
    return b"\n".join(lines) + b"\n"


class Decoder:
    """Puts lines together again; parts of different messages may interleave."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[dict[str, Any], list[str]]] = {}

    def line(self, line: bytes) -> Message | None:
        """The message that this line completes, else None. Raises ValueError for a line that is none of ours."""
        head = orjson.loads(line)
        if not isinstance(head, dict) or not {"id", "part", "of", "data"} <= head.keys():
            raise ValueError(f"expected a message of the agent, found {line[:80]!r}")
        fields, parts = self._open.setdefault(head["id"], (head.get("fields", {}), []))
        parts.append(head["data"])
        if head["part"] + 1 < head["of"]:
            return None
        del self._open[head["id"]]
        packed = "".join(parts)
        return Message(head["id"], fields, zlib.decompress(base64.b64decode(packed)) if packed else b"")
