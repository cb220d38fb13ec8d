"""A known-good service: answers every request at once. What fails here too is not the subject's doing.

`python -m seatrial.traffic.beacon`, on $POD_IP (or every address) and port 8080. Standard library only.
"""

import asyncio
import os
import signal
from contextlib import suppress

PORT = 8080
ANSWER = b'{"beacon": true}'
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + str(len(ANSWER)).encode() + b"\r\n\r\n"
)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request head on a connection; requests to the beacon carry no body."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(HEAD + ANSWER)
            await writer.drain()
    writer.close()


async def serve() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await asyncio.start_server(answer, os.environ.get("POD_IP") or None, PORT):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve())
