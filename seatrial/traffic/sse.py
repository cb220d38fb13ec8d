"""Server-sent events, taken apart as they arrive. Pure: bytes in, events out.

Source: WHATWG HTML Living Standard, 9.2.6, "Interpreting an event stream". An event is complete at the byte that
ends its blank line, so of CR LF at the CR: a client need not wait for more bytes to know of it. What is unfinished
when the stream ends is not an event.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LIMIT_BYTES: Final = 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_LF, _CR = 0x0A, 0x0D  # `in` is faster with a number than with a byte string


class Event(NamedTuple):
    """One event, whole."""

    data: bytes  # UTF-8; the values of its data lines, joined by LF
    type: str = "message"
    last_id: str = ""  # of the latest id field in the stream
    retry_ms: int | None = None  # of the latest retry field in the stream


_new = tuple.__new__  # an Event in half the time that Event(...) takes


class EventStream:
    """One stream from its first byte on.

    `error` is empty, or tells why nothing more is taken in: a line, or the data of one event, was larger than
    `limit_bytes`. Where that happens depends on the bytes alone, not on how they were cut.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.error = ""
        self._limit = limit_bytes
        self._line = bytearray()  # of which the end has not come
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._type = ""
        self._last_id = ""
        self._retry_ms: int | None = None
        self._skip_lf = False  # the LF of a CR LF that was cut in two
        self._between = True  # nothing of an event has come since the last one
        self._first = True  # a byte order mark may still come

    @property
    def unfinished(self) -> bool:
        """Whether the stream stands within an event: ended here, that one is lost."""
        return bool(self._line or self._data or self._type)

    @property
    def between(self) -> bool:
        """Whether the next byte begins an event, or what lies between two."""
        return self._between and not self.error

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete; none once there is an error."""
        # Nearly every read of a stream of tokens is whole events of one data line each.
        if self._between and data[:6] == b"data: " and len(data) <= self._limit:
            if data[-2:] == b"\n\n":
                value = data[6:-2]
            elif data[-4:] == b"\r\n\r\n":
                value = data[6:-4]
            else:
                return self._any(data)
            if _LF not in value and _CR not in value:
                self._first = False
                return [_new(Event, (value, "message", self._last_id, self._retry_ms))]
            if found := self._one_line_each(data):
                self._first = False
                return found
        return self._any(data) if data and not self.error else []

    def _one_line_each(self, data: bytes) -> list[Event]:
        """The events if each is one data line and ended by LF LF; else none."""
        parts = data.split(b"\n\n")
        parts.pop()
        if data.count(b"\n") != 2 * len(parts) or _CR in data:
            return []
        found = []
        for part in parts:
            if part[:6] != b"data: ":
                return []
            found.append(_new(Event, (part[6:], "message", self._last_id, self._retry_ms)))
        return found

    def _any(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        if self._skip_lf:
            self._skip_lf = False
            if data[0] == _LF:
                data = data[1:]
        for piece in data.splitlines(keepends=True):  # of bytes: at CR, LF and CR LF only
            line = piece.rstrip(b"\r\n")
            ended = len(piece) > len(line)
            if self._line or not ended:
                self._line += line
                if len(self._line) > self._limit + len(_BOM) * self._first:
                    return self._broken("a line", events)
                if not ended:
                    break
                line = bytes(self._line)
                self._line.clear()
            if self._first:
                self._first = False
                line = line.removeprefix(_BOM)
            if len(line) > self._limit:
                return self._broken("a line", events)
            if line:
                self._field(line)
                if self._data_bytes > self._limit:
                    return self._broken("the data of an event", events)
            else:
                self._dispatch(events)
        self._skip_lf = data[-1:] == b"\r"
        self._between = not (self.unfinished or self._skip_lf)
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
        elif name == b"event":
            self._type = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._last_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 16:  # int() refuses thousands of digits
            self._retry_ms = int(value)
        # All else is a comment (no name before the colon) or a field that the standard does not know.

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            data = b"\n".join(self._data)
            events.append(Event(data, self._type or "message", self._last_id, self._retry_ms))
            self._data.clear()
            self._data_bytes = 0
        self._type = ""

    def _broken(self, what: str, events: list[Event]) -> list[Event]:
        self.error = f"{what} of the event stream: expected at most {self._limit} bytes, found more"
        self._between = False
        self._line.clear()
        self._data.clear()
        return events
