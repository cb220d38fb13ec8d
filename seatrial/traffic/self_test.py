"""Does the generator see what it is shown? A listener misbehaves in known ways; the ledger must say exactly that.

One attempt each, so the listener also counts: a client that retries or follows redirects is found out.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
import time
from collections import Counter
from dataclasses import dataclass

from seatrial.ledger import RIGHT, UNJUDGED, WRONG, Request
from seatrial.traffic.engine import Engine
from seatrial.traffic.plan import Connects, Exchange, Load, OpenLoop, ServiceTarget

_STALL_TIMEOUT_S = 0.3
_SLOW_S = 0.1
_LIMIT_S = 2.0

_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the listener does for a path, and the row that must come of it."""

    answer: bytes
    then: str  # close, reset or stall
    status: int
    error: str
    correct: int = UNJUDGED


SHOWN = {
    "right": Shown(_OK + b'content-length: 8\r\n\r\n{"a": 1}', "close", 200, "", RIGHT),
    "wrong": Shown(_OK + b'content-length: 8\r\n\r\n{"a": 2}', "close", 200, "", WRONG),
    "chunked": Shown(_OK + b'transfer-encoding: chunked\r\n\r\n8\r\n{"a": 1}\r\n0\r\n\r\n', "close", 200, "", RIGHT),
    "until-close": Shown(_OK + b'\r\n{"a": 1}', "close", 200, "", RIGHT),
    "busy": Shown(b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n", "close", 503, ""),
    "redirect": Shown(
        b"HTTP/1.1 302 Found\r\nlocation: /right\r\ncontent-length: 0\r\n\r\n", "close", 302, ""
    ),  # its target must not be asked for
    "reset": Shown(b"", "reset", 0, "reset"),
    "reset-later": Shown(_OK + b"content-length: 8\r\n\r\n{", "reset", 200, "reset"),
    "silent-close": Shown(b"", "close", 0, "eof"),
    "truncated": Shown(_OK + b'content-length: 80\r\n\r\n{"a": 1}', "close", 200, "eof"),
    "truncated-chunk": Shown(_OK + b"transfer-encoding: chunked\r\n\r\n8\r\n{", "close", 200, "eof"),
    "stall": Shown(b"", "stall", 0, "timeout"),
    "garbage": Shown(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "close", 0, "protocol"),
}


class _Listener:
    """Answers each path as SHOWN says, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            name = head.split(b" ", 2)[1].decode().strip("/")
            self.asked[name] += 1
            shown = SHOWN[name]
            if name == "right":
                await asyncio.sleep(_SLOW_S)
            writer.write(shown.answer)
            await writer.drain()
            if shown.then == "stall":
                await asyncio.sleep(_STALL_TIMEOUT_S * 2)
            if shown.then == "reset":
                # The bytes before the reset must have been read, or the kernel throws them away.
                await asyncio.sleep(0.05)
                peer = writer.get_extra_info("socket")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


async def self_test(engine: Engine) -> list[str]:
    """What was recorded otherwise than it was; empty when all is well. Takes below 2 s."""
    listener = _Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    # A port that is taken but where nobody listens: refused, and nobody else can get it meanwhile.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port, refused_port = server.sockets[0].getsockname()[1], taken.getsockname()[1]
        run = await engine.start(_loads(port, refused_port), time.monotonic())
        try:
            async with asyncio.timeout(_LIMIT_S):
                await asyncio.shield(run.finished)
        except TimeoutError:
            run.stop()
            return [f"expected every attempt to end within {_LIMIT_S} s, found some still open"]
        finally:
            server.close()
    rows = {row.case or row.load: row for row in run.ledger()}
    wrong = [found for name, shown in SHOWN.items() for found in _compare(name, rows.get(name), shown)]
    wrong += [
        f"{name}: shown once, asked for {listener.asked[name]} times" for name in SHOWN if listener.asked[name] != 1
    ]
    for name in ("refused", "connect-refused"):
        if name not in rows or rows[name].error != "refused":
            wrong.append(f"{name}: expected a refused connection, found {rows.get(name)}")
    return wrong


def _loads(port: int, refused_port: int) -> list[Load]:
    here, nowhere = ServiceTarget("self", "127.0.0.1", port), ServiceTarget("self", "127.0.0.1", refused_port)
    exchanges = tuple(
        Exchange(name, "GET", f"/{name}", expect=None if shown.correct == UNJUDGED else {"a": 1})
        for name, shown in SHOWN.items()
    )
    ask = OpenLoop("self", here, exchanges, [0.0] * len(SHOWN), range(len(SHOWN)), timeout_s=_STALL_TIMEOUT_S)
    refused = OpenLoop("refused", nowhere, (Exchange("refused", "GET", "/"),), [0.0], timeout_s=_STALL_TIMEOUT_S)
    return [ask, refused, Connects("connect-refused", nowhere, [0.0], _STALL_TIMEOUT_S)]


def _compare(name: str, row: Request | None, shown: Shown) -> list[str]:
    if row is None:
        return [f"{name}: expected a row, found none"]
    expected = (shown.status, shown.error, shown.correct)
    found = (row.status, row.error, row.correct)
    wrong = [] if found == expected else [f"{name}: shown {expected}, recorded {found}"]
    if not row.scheduled_s <= row.sent_s <= row.connected_s <= row.body_sent_s <= row.ended_s:
        wrong.append(f"{name}: times out of order: {row}")
    if shown.answer and not row.body_sent_s <= row.first_byte_s <= row.ended_s:
        wrong.append(f"{name}: first byte out of order: {row}")
    if not shown.answer and not math.isnan(row.first_byte_s):
        wrong.append(f"{name}: a first byte that was never sent: {row}")
    if name == "right" and row.first_byte_s - row.body_sent_s < _SLOW_S * 0.99:
        wrong.append(f"{name}: answered after {_SLOW_S} s, recorded {row.first_byte_s - row.body_sent_s:.3f} s")
    if name == "stall" and row.ended_s - row.sent_s < _STALL_TIMEOUT_S * 0.99:
        wrong.append(f"{name}: given up too early, after {row.ended_s - row.sent_s:.3f} s")
    return wrong
