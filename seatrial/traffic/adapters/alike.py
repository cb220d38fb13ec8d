"""Events of one stream that differ in nothing but their text: recognised by their bytes, and not parsed again.

A server that streams tokens sends the same JSON again and again, with another string in one place. Where such a string
needs no escapes in JSON, what stands before and after it tells all the rest. Whatever is different in any byte goes
through the parser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from seatrial.traffic import sse


class Alike:
    """Event streams' bytes of one event with any text, and what such an event says."""

    __slots__ = ("_after", "_before", "_chunk", "_end", "_holder", "_name", "_start")

    def __init__(self, before: bytes, after: bytes, chunk: dict[str, Any], holder: dict[str, Any], name: str) -> None:
        self._before, self._after = before, after
        self._start, self._end = len(before), -len(after)
        self._chunk, self._holder, self._name = chunk, holder, name

    def text(self, body: bytes) -> str:
        """The text of these bytes, if they are one such event; else, or where it has none, ""."""
        if not (body.startswith(self._before) and body.endswith(self._after)) or len(body) > sse.LIMIT_BYTES:
            return ""
        try:
            text = body[self._start : self._end].decode()
        except UnicodeDecodeError:
            return ""
        return text if _is_verbatim(text) else ""

    def with_text(self, text: str) -> Mapping[str, Any]:
        """What an event with this text says; the next call changes it."""
        self._holder[self._name] = text
        return self._chunk


def alike(body: bytes, chunk: Mapping[str, Any], holder_of: Callable[[Any], tuple[Any, str] | None]) -> Alike | None:
    """Events like this one, whose bytes are `body`; None where it is not sure which those are.

    `holder_of` says where the text is in what an event says: in which mapping, and under which name.
    """
    found = holder_of(chunk)
    if found is None:
        return None
    text = found[0][found[1]]
    raw = b'"' + text.encode("utf-8", "replace") + b'"'
    if not _is_verbatim(text) or body.count(raw) != 1 or not (body.startswith(b"data: ") and body.endswith(b"\n\n")):
        return None
    at = body.index(raw) + 1
    before, after = body[:at], body[at + len(raw) - 2 :]
    # That it was the right place, another text shows.
    try:
        other = orjson.loads(before[6:] + b"0" + after[:-2])
    except orjson.JSONDecodeError:
        return None
    there = holder_of(other)
    if there is None or there[0][there[1]] != "0":
        return None
    made = Alike(before, after, other, *there)
    return made if made.with_text(text) == chunk else None


def _is_verbatim(text: str) -> bool:
    """Whether a string is in JSON as it is. No control character is printable."""
    return text.isprintable() and '"' not in text and "\\" not in text
