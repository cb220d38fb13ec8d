"""A second command inside a running container: exec probes, hooks and `kubectl exec`."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from seatrial.clusters.local.kubelet.process import ProcessSpec, StartFailed, start


class NotRunning(Exception):
    """A command was to run in a container that is not running."""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a command ended; 126 and 127 when it could not be started, with the reason in `stderr`."""

    exit_code: int
    stdout: bytes
    stderr: bytes


ReadStdin = Callable[[], Awaitable[bytes]]  # the next bytes; none at the end


async def nothing() -> bytes:
    """A stdin that has ended."""
    return b""


async def execute(spec: ProcessSpec, stdin: ReadStdin = nothing, timeout_s: float | None = None) -> ExecResult:
    """Run to the end, which need not be that of its stdin.

    Raises TimeoutError; then, or when cancelled, the command has been killed.
    """
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = (os.pipe() for _ in range(3))
    started = None
    outputs = [asyncio.ensure_future(_collect(end)) for end in (out_read, err_read)]
    feeding = asyncio.ensure_future(_feed(in_write, stdin))
    try:
        async with asyncio.timeout(timeout_s):
            try:
                started = await start(spec, stdin=in_read, stdout=out_write, stderr=err_write)
            except StartFailed as error:
                return ExecResult(error.code, b"", str(error).encode())
            finally:
                for end in (in_read, out_write, err_write):
                    os.close(end)
            code = await started.wait()
            stdout, stderr = await asyncio.gather(*outputs)
            return ExecResult(code, stdout, stderr)
    finally:
        if started is not None:
            started.kill()
        for task in (*outputs, feeding):
            task.cancel()
        await asyncio.gather(*outputs, feeding, return_exceptions=True)


async def _collect(descriptor: int) -> bytes:
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    try:
        return await reader.read()
    finally:
        transport.close()


async def _feed(descriptor: int, stdin: ReadStdin) -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(descriptor, "wb")
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    try:
        while chunk := await stdin():
            writer.write(chunk)
            await writer.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the command did not want it all
    finally:
        writer.close()
