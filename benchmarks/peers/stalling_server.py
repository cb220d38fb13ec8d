"""A server that answers one request after the other and stands still for a while, again and again.

    python stalling_server.py FIRST_S EVERY_S FOR_S

Prints its port. On SIGTERM it prints, as JSON, how many requests came, when it stood still (this machine's monotonic
clock) and what a request cost it: its CPU time, the standing still left out, by the number of requests.
"""

import asyncio
import json
import signal
import sys
import time

import uvloop

BODY = b'{"greeting":"Hello","value":42,"ok":true}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Server:
    """Its connections share one thread, and so stand still together."""

    def __init__(self, every_s: float, for_s: float) -> None:
        self.every_s, self.for_s = every_s, for_s
        self.requests = 0
        self.stalls: list[tuple[float, float]] = []

    def stall(self) -> None:
        began_s = time.monotonic()
        time.sleep(self.for_s)
        self.stalls.append((began_s, time.monotonic()))
        asyncio.get_running_loop().call_later(self.every_s - self.for_s, self.stall)


class Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.WriteTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        asked = data.count(b"\r\n\r\n")
        self.server.requests += asked
        self.transport.write(ANSWER * asked)


async def main(first_s: float, every_s: float, for_s: float) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    server = Server(every_s, for_s)
    listener = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0, backlog=4096)
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    print(listener.sockets[0].getsockname()[1], flush=True)
    loop.call_later(first_s, server.stall)
    cpu_s = time.process_time()
    await ended.wait()
    cost_s = (time.process_time() - cpu_s) / max(1, server.requests)
    print(json.dumps({"requests": server.requests, "stalls": server.stalls, "request_cost_s": cost_s}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(*map(float, sys.argv[1:])))
