"""One HTTP/1.1 answer, and the bytes of a request. Pure: bytes in, facts out (RFC 9112)."""

from __future__ import annotations

import httptools

from seatrial.traffic.plan import Exchange

KEPT_HEADERS = frozenset({b"retry-after", b"connection", b"location", b"content-type", b"x-request-id", b"x-served-by"})
_HEAD_LIMIT = 64 * 1024
_VALUE_LIMIT = 1024  # of a header that is kept
# Memory stays bounded whatever a server sends: a body above the limit is counted to its end, and its beginning kept.
_BODY_LIMIT = 16 * 1024 * 1024
BEGINNING_BYTES = 1024 * 1024


def request_head(exchange: Exchange, host: str, *, close: bool) -> bytes:
    """The head of the request; headers of the exchange win over those that are added.

    A client that will not reuse the connection has to say so (RFC 9112, 9.6).
    """
    given = {name.lower() for name, _ in exchange.headers}
    lines = [f"{exchange.method} {exchange.path} HTTP/1.1"]
    if "host" not in given:
        lines.append(f"host: {host}")
    lines += [f"{name}: {value}" for name, value in exchange.headers]
    if "content-length" not in given and (exchange.body or exchange.method in ("POST", "PUT", "PATCH")):
        lines.append(f"content-length: {len(exchange.body)}")
    if close and "connection" not in given:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Answer:
    """What has come of one answer so far."""

    def __init__(self, method: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}  # those of KEPT_HEADERS, names in lower case
        self.body = bytearray()
        self.body_bytes = 0
        self.complete = False
        self.keep_alive = False
        self.received_bytes = 0
        self.length: int | None = None  # of the body, where the head says it
        self._head_only = method == "HEAD"
        self._in_body = False
        self._delimited = False
        self._body_until = 0  # received_bytes at the latest part of the body: what came since is head or trailers
        self._all_kept = True
        self._chunk_over = False  # the latest chunk is, and the size of the next has not come
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bool:
        """Take in bytes; False if they are not HTTP.

        What follows a whole answer was not asked for: it is dropped, and the connection is not to be kept
        (RFC 9112, 6.3).
        """
        self.received_bytes += len(data)
        if self.received_bytes > _HEAD_LIMIT and not self._in_body and not self.complete:
            return self._feed_long_head(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.complete = True
        except (httptools.HttpParserError, httptools.HttpParserCallbackError):
            self.keep_alive = False
            return self.complete
        return self.complete or self.received_bytes - self._body_until <= _HEAD_LIMIT

    def _feed_long_head(self, data: bytes) -> bool:
        """A head that is too long is refused at the same byte however it was cut into reads."""
        self.received_bytes -= len(data)
        room = _HEAD_LIMIT - self.received_bytes
        return self.feed(data[:room]) and (self._in_body or self.complete) and self.feed(data[room:])

    def end_of_stream(self) -> bool:
        """The peer sent a FIN: whether the answer is whole, as one without a length then is (RFC 9112, 6.3)."""
        if self._in_body and not self._delimited:
            self.complete = True
        return self.complete

    @property
    def between_chunks(self) -> bool:
        """Whether a chunk of the body came whole and nothing after it, but for a part of the next one's first line."""
        return self._chunk_over and not self.complete

    def pass_over(self, received_bytes: int) -> None:
        """Count whole chunks, none the last, that came between chunks: the parser, which has not had them, is right."""
        self.received_bytes += received_bytes
        self._body_until = self.received_bytes
        self._all_kept = False

    @property
    def whole_body(self) -> bytes | None:
        """The body if all of it was kept."""
        return bytes(self.body) if self._all_kept and self.body_bytes == len(self.body) else None

    # The names below are httptools'.
    def on_message_begin(self) -> None:
        if self.complete:
            self.keep_alive = False  # a second answer to one request

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            return  # a trailer is not merged into the head (RFC 9110, 6.5.1)
        lower = name.lower()
        if lower == b"content-length":
            self._delimited = True
            self.length = int(value)
        elif lower == b"transfer-encoding":
            # With any other last coding the body ends with the connection (RFC 9112, 6.3).
            self._delimited = value.lower().endswith(b"chunked")
        elif lower in KEPT_HEADERS:
            self.headers[lower.decode("latin-1")] = value[:_VALUE_LIMIT].decode("latin-1")

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        status = self._parser.get_status_code()
        if status < 100 or self._parser.get_http_version() not in ("1.1", "1.0"):
            raise ValueError("not an answer of HTTP/1")  # httptools makes a parser error of it
        self.status = status
        self.keep_alive = self._parser.should_keep_alive() and self.status != 101
        self._in_body = self.status >= 200
        self._body_until = self.received_bytes if self._in_body else 0
        if self._head_only and self._in_body:
            self.complete = True

    def on_body(self, body: bytes) -> None:
        if self.complete:
            self.keep_alive = False  # the body of an answer to HEAD, or of a second answer
            return
        self._body_until = self.received_bytes
        self.body_bytes += len(body)
        if self.body_bytes <= _BODY_LIMIT:
            self.body += body
        else:
            self.body += body[: max(0, BEGINNING_BYTES - len(self.body))]
            del self.body[BEGINNING_BYTES:]

    def on_chunk_header(self) -> None:
        self._chunk_over = False

    def on_chunk_complete(self) -> None:
        self._chunk_over = True

    def on_message_complete(self) -> None:
        if self.complete:
            return
        if self.status >= 200 or self.status == 101:
            self.complete = True
            return
        # An interim answer (RFC 9110, 15.2): the final one is still to come.
        self.status = 0
        self.headers.clear()
        self._delimited = False
        self.length = None
