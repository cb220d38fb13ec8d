"""A chat service that streams: every event carries the moment of its writing, on this machine's monotonic clock.

    python stream_server.py EVENTS EVERY_S

Prints its port. Each request gets EVENTS events, or as many as its max_tokens, EVERY_S apart, each in a write of its
own.
"""

import asyncio
import re
import sys
import time

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"clock","choices":'
    b'[{"index":0,"delta":{"content":"%d "},"finish_reason":%s}]}\n\n'
)
END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Clock(asyncio.Protocol):
    """One connection, one stream at a time."""

    def __init__(self, events: int, every_s: float) -> None:
        self.events, self.every_s = events, every_s
        self.left = 0
        self.asked = b""

    def connection_made(self, transport: asyncio.WriteTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.asked += data
        head, _, body = self.asked.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if length is None or len(body) < int(length[1]):
            return
        self.asked = b""
        most = re.search(rb'"max_tokens": *(\d+)', body)
        self.left = int(most[1]) if most else self.events
        self.transport.write(HEAD)
        self.due_s = time.monotonic() + self.every_s
        asyncio.get_running_loop().call_later(self.every_s, self.tick)

    def tick(self) -> None:
        if self.transport.is_closing():
            return
        self.left -= 1
        event = CHUNK % (time.monotonic_ns(), b"null" if self.left else b'"stop"')
        self.transport.write(b"%x\r\n%s\r\n" % (len(event), event))
        if self.left:
            self.due_s += self.every_s
            asyncio.get_running_loop().call_later(max(0.0, self.due_s - time.monotonic()), self.tick)
        else:
            self.transport.write(END)


async def main(events: int, every_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Clock(events, every_s), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2])))
