"""A server that does to each path exactly what a test says, from a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

GOOD = b'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{"a": 1}'


@dataclass(frozen=True)
class Bad:
    """What a path is answered with: these bytes, then `again` for ever, `every_s` seconds apart, where there is any.

    then: "close", "reset", "stay" (say no more), "serve" (answer the next request on the connection), or "deaf"
    (answer before the body of the request was read, and never read it).
    """

    sends: bytes
    then: str = "stay"
    again: bytes = b""
    every_s: float = 0.0


@contextlib.contextmanager
def serving(bad: Mapping[str, Bad], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port on 127.0.0.1; a path that is not named is answered with GOOD."""
    loop = asyncio.new_event_loop()
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await _answered(bad, reader, writer):
                pass
        writer.transport.abort()
        connections.discard(task)

    async def begin() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, backlog=1000)

    async def end() -> None:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.sleep(0.05)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _answered(bad: Mapping[str, Bad], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; whether the connection goes on."""
    head = await reader.readuntil(b"\r\n\r\n")
    one = bad.get(head.split(b" ", 2)[1].decode().strip("/"))
    if one is None or one.then != "deaf":
        lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0]) if lengths else 0)
    writer.write(GOOD if one is None else one.sends)
    await writer.drain()
    if one is None or one.then == "serve":
        return True
    while one.again:
        await asyncio.sleep(one.every_s)
        writer.write(one.again)
        await writer.drain()
    if one.then == "reset":
        await asyncio.sleep(0.05)  # the bytes before it must have been read, or the kernel throws them away
        connected = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif one.then == "close":
        writer.close()
        await writer.wait_closed()
    elif one.then == "deaf":
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(30)
    else:
        await reader.read()
    return False
