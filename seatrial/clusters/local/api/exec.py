"""`kubectl exec`: a command in a container over a WebSocket.

Source: KEP-4006; subprotocols v4.channel.k8s.io and v5.channel.k8s.io. The first byte of a message is the
channel: 0 stdin, 1 stdout, 2 stderr, 3 the result as a Status, 4 terminal size, 255 (v5) the end of a channel.
"""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import WSMsgType, web

from seatrial.clusters.local.api import reading
from seatrial.clusters.local.api.errors import StoreError, bad_request
from seatrial.clusters.local.api.hooks import Hooks
from seatrial.clusters.local.api.request import Target, flag
from seatrial.clusters.local.api.subresources import container_of
from seatrial.clusters.local.store import Obj, Store

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, RESULT, CLOSE = 0, 1, 2, 3, 255


async def run(store: Store, hooks: Hooks, request: web.Request, target: Target) -> web.StreamResponse:
    """Run the command of the query and stream its output."""
    pod = reading.found(store, target)
    container = container_of(pod, request.query.get("container"))
    command = request.query.getall("command", [])
    if not command:
        raise bad_request("you must specify at least 1 command for the container")
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    if not socket.can_prepare(request).ok:
        raise bad_request("expected a WebSocket upgrade; SPDY is not spoken here")
    await socket.prepare(request)
    streams = _Streams(socket, flag(request, "stdin"))
    reader = asyncio.create_task(streams.receive())
    try:
        result = _result(await hooks.exec(pod, container, command, streams))
    except StoreError as error:
        result = error.status()
    finally:
        reader.cancel()
    await socket.send_bytes(bytes([RESULT]) + orjson.dumps(result))
    await socket.close()
    return socket


class _Streams:
    """The client's side of one exec."""

    def __init__(self, socket: web.WebSocketResponse, has_stdin: bool) -> None:
        self._socket = socket
        self._stdin: asyncio.Queue[bytes] = asyncio.Queue()
        if not has_stdin:
            self._stdin.put_nowait(b"")

    async def read_stdin(self) -> bytes:
        return await self._stdin.get()

    async def write_stdout(self, data: bytes) -> None:
        await self._send(STDOUT, data)

    async def write_stderr(self, data: bytes) -> None:
        await self._send(STDERR, data)

    async def receive(self) -> None:
        """Sort what the client sends until it leaves."""
        async for message in self._socket:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or not message.data:
                continue
            # The Python client sends text frames where Go's sends binary ones.
            data = message.data.encode() if isinstance(message.data, str) else message.data
            if data[0] == STDIN and len(data) > 1:
                self._stdin.put_nowait(data[1:])
            elif data[:2] == bytes([CLOSE, STDIN]):
                self._stdin.put_nowait(b"")
        self._stdin.put_nowait(b"")

    async def _send(self, channel: int, data: bytes) -> None:
        if not self._socket.closed:
            await self._socket.send_bytes(bytes([channel]) + data)


def _result(exit_code: int) -> Obj:
    if exit_code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {exit_code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(exit_code)}]},
    }
