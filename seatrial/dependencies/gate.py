"""A TCP proxy between the release and one of its dependencies, which a trial can close, stall, slow or cut.

`gate_server` is the program that runs it; its modes are:

    open     connections are passed on to the backend
    refuse   nothing listens: a connection is refused (ECONNREFUSED), and none of these can be counted
    stall    connections are accepted and nothing moves, also on those that were there before
    slow     each chunk waits for delay_s and for its share of bytes_per_s, on each connection and way

`refuse` leaves alone the connections that are open; `cut` resets these and changes no mode. A connection that the
backend refuses, resets or half closes, is so in front too. Only what is in the agent's image is imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from dataclasses import dataclass, field
from typing import Any

import httptools

MODES = ("open", "refuse", "stall", "slow")
CHUNK_BYTES = 65536
SLOW_STEP_S = 0.1  # how much of a rate's bytes go at once
BACKLOG = 1024
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 s


@dataclass(slots=True)
class Counts:
    """Since the gate started. `sent` goes to the dependency, `received` comes from it, as far as passed on."""

    connections: int = 0  # accepted
    open: int = 0  # now
    cut: int = 0  # reset by `cut`
    unreachable: int = 0  # that the backend did not take
    sent_bytes: int = 0
    received_bytes: int = 0
    requests: int = 0  # heads of HTTP requests; 0 where the protocol is another
    unreadable: int = 0  # connections of which HTTP could not be read any more


@dataclass(slots=True)
class Mode:
    """What happens now; `over` is set when it is something else."""

    name: str = "open"
    delay_s: float = 0.0
    bytes_per_s: float = 0.0  # 0: as fast as it goes
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def chunk_bytes(self) -> int:
        """How much is read at once."""
        return max(1, min(CHUNK_BYTES, int(self.bytes_per_s * SLOW_STEP_S))) if self.bytes_per_s else CHUNK_BYTES

    def pause_s(self, count: int) -> float:
        """How long a chunk of this many bytes waits."""
        return self.delay_s + (count / self.bytes_per_s if self.bytes_per_s else 0.0)


class Gate:
    """Runs on one event loop. `backend` is a host and a port; with `http`, requests are counted."""

    def __init__(self, host: str, port: int, backend: tuple[str, int], *, http: bool = False) -> None:
        self.host, self.port, self.backend, self.http = host, port, backend, http
        self.counts = Counts()
        self.mode = Mode()
        self._listening: asyncio.Task[None] | None = None
        self._connections: dict[asyncio.Task[None], Connection] = {}

    async def start(self) -> None:
        """Listen; the port is known afterwards, where it was 0. Raises OSError where that is not possible."""
        listener = socket.create_server((self.host, self.port), backlog=BACKLOG)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._listening = asyncio.create_task(self._accept(listener))

    async def switch(self, name: str, *, delay_s: float = 0.0, bytes_per_s: float = 0.0) -> None:
        """Go over to another mode; it holds for every connection when this returns."""
        if name == "refuse":
            await self._stop_listening()
        elif self._listening is None:
            await self.start()
        before, self.mode = self.mode, Mode(name, delay_s, bytes_per_s)
        before.over.set()

    async def cut(self) -> None:
        """Reset every connection that is open."""
        connections = list(self._connections.items())
        for task, connection in connections:
            connection.reset = True
            task.cancel()
        await asyncio.gather(*(task for task, _ in connections), return_exceptions=True)
        self.counts.cut += len(connections)

    async def close(self) -> None:
        """Stop listening and end what is open."""
        await self._stop_listening()
        await self.cut()

    async def _stop_listening(self) -> None:
        listening, self._listening = self._listening, None
        if listening:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                try:
                    front, _ = await asyncio.get_running_loop().sock_accept(listener)
                except OSError as refused:  # no descriptor left, or the client was gone before
                    print(f"not accepted: {refused}", file=sys.stderr, flush=True)
                    await asyncio.sleep(0.01)
                    continue
                self.counts.connections += 1
                self.counts.open += 1
                connection = Connection(self, front)
                task = asyncio.create_task(connection.run())
                self._connections[task] = connection
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        connection = self._connections.pop(task)
        connection.close()
        self.counts.open -= 1
        if not task.cancelled() and (error := task.exception()):
            print(f"a connection ended with {error!r}", file=sys.stderr, flush=True)


class Connection:
    """One connection in front, and the one behind that belongs to it."""

    def __init__(self, gate: Gate, front: socket.socket) -> None:
        self.gate = gate
        self.reset = False
        self._front = front
        self._back: socket.socket | None = None
        self._requests = RequestCounter(gate.counts) if gate.http else None

    async def run(self) -> None:
        """Pass on bytes both ways until both have ended."""
        try:
            await self._let_through()
            self._back = await connected(self.gate.backend)
        except OSError as refused:
            self.gate.counts.unreachable += 1
            self.reset = True
            print(f"{':'.join(map(str, self.gate.backend))} not reached: {refused}", file=sys.stderr, flush=True)
            return
        for end in (self._front, self._back):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ways = [
            asyncio.create_task(self._pass_on(self._front, self._back, outward=True)),
            asyncio.create_task(self._pass_on(self._back, self._front, outward=False)),
        ]
        try:
            await asyncio.gather(*ways)
        except OSError:  # one side was reset, so the other is
            self.reset = True
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _let_through(self) -> None:
        while self.gate.mode.name == "stall":
            await self.gate.mode.over.wait()

    async def _pass_on(self, source: socket.socket, sink: socket.socket, *, outward: bool) -> None:
        loop, counts = asyncio.get_running_loop(), self.gate.counts
        while True:
            await self._let_through()
            chunk = await loop.sock_recv(source, self.gate.mode.chunk_bytes)
            await self._let_through()  # it may have begun while there was nothing to read
            if not chunk:
                with contextlib.suppress(OSError):  # it was closed already
                    sink.shutdown(socket.SHUT_WR)
                return
            if pause_s := self.gate.mode.pause_s(len(chunk)):
                await wait_for(self.gate.mode.over, pause_s)
                await self._let_through()
            if outward and self._requests:
                self._requests.see(chunk)
            await loop.sock_sendall(sink, chunk)
            if outward:
                counts.sent_bytes += len(chunk)
            else:
                counts.received_bytes += len(chunk)

    def close(self) -> None:
        """Close both sides, by a reset where one is due."""
        for end in (self._front, self._back):
            if end is not None:
                if self.reset:
                    with contextlib.suppress(OSError):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                end.close()


class RequestCounter:
    """Counts the heads of HTTP requests in what a client sends."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._parser: Any = httptools.HttpRequestParser(self)

    def on_headers_complete(self) -> None:
        """Of the parser."""
        self._counts.requests += 1

    def see(self, chunk: bytes) -> None:
        """The next bytes of the connection."""
        if self._parser is None:
            return
        try:
            self._parser.feed_data(chunk)
        except httptools.HttpParserUpgrade:
            self._parser = None  # what follows is no HTTP
        except httptools.HttpParserError:
            self._counts.unreadable += 1
            self._parser = None


async def connected(backend: tuple[str, int]) -> socket.socket:
    """A connection to it; raises OSError."""
    loop = asyncio.get_running_loop()
    error = OSError(f"{backend[0]}: no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(*backend, type=socket.SOCK_STREAM):
        end = socket.socket(family, kind, protocol)
        end.setblocking(False)
        try:
            await loop.sock_connect(end, address)
        except OSError as refused:
            end.close()
            error = refused
        except BaseException:
            end.close()
            raise
        else:
            return end
    raise error


async def wait_for(event: asyncio.Event, at_most_s: float) -> None:
    """Wait for an event, or for so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), at_most_s)
