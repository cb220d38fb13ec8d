"""What containers write: one file a run, each line with the time it arrived.

stdout and stderr share one pipe, so their order is kept.
"""

import asyncio
import fcntl
import os
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

# A chatty server must not wait for the loop; the kernel refuses more than this to ordinary users.
PIPE_BYTES, CHUNK_BYTES = 1 << 20, 1 << 16


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which lines of a log are asked for; the names are those of the API's query parameters."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_s: float | None = None  # not older than this
    since_time_s: float | None = None  # seconds since the epoch
    limit_bytes: int | None = None


class ContainerLog:
    """The log of one run of a container."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("wb")
        self._partial = b""
        self._more = asyncio.Event()
        self.complete = False

    def pipe(self) -> int:
        """A descriptor for the container to write to. The caller closes its copy once the container has it."""
        reading, writing = os.pipe()
        with suppress(PermissionError):
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(reading, False)
        asyncio.get_running_loop().add_reader(reading, self._arrived, reading)
        return writing

    def _arrived(self, reading: int) -> None:
        try:
            chunk = os.read(reading, CHUNK_BYTES)
        except BlockingIOError:
            return
        if chunk:
            self._write(chunk)
            return
        asyncio.get_running_loop().remove_reader(reading)
        os.close(reading)
        self.close()

    def _write(self, chunk: bytes) -> None:
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if len(self._partial) > CHUNK_BYTES:
            lines, self._partial = [*lines, self._partial], b""
        if lines:
            prefix = _stamp(time.time_ns())
            self._file.write(b"".join(prefix + line + b"\n" for line in lines))
            self._file.flush()
            self._wake()

    def close(self) -> None:
        """Nothing more will be written; harmless when repeated."""
        if self.complete:
            return
        if self._partial:
            self._file.write(_stamp(time.time_ns()) + self._partial)
        self._file.close()
        self.complete = True
        self._wake()

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()

    def tail(self, lines: int, limit_bytes: int) -> str:
        """The last lines without their times."""
        kept = self.path.read_bytes().splitlines()[-lines:]
        text = "\n".join(line.partition(b" ")[2].decode(errors="replace") for line in kept)
        return text[-limit_bytes:]

    async def read(self, options: LogOptions) -> AsyncIterator[bytes]:
        """The lines asked for; with `follow`, until the container has ended."""
        left = options.limit_bytes
        async for line in self._lines(options):
            shown = line if options.timestamps else line.partition(b" ")[2]
            if left is not None:
                shown = shown[:left]
                left -= len(shown)
            yield shown
            if left == 0:
                return

    async def _lines(self, options: LogOptions) -> AsyncIterator[bytes]:
        oldest = _oldest(options)
        with self.path.open("rb") as file:
            written = (line for line in file if line >= oldest)
            for line in written if options.tail_lines is None else deque(written, options.tail_lines):
                yield line
            while options.follow:
                complete, more = self.complete, self._more
                for line in file:
                    yield line
                if complete:
                    return
                await more.wait()


def _oldest(options: LogOptions) -> bytes:
    """The times begin the lines and sort as text."""
    since = []
    if options.since_s is not None:
        since.append(time.time() - options.since_s)
    if options.since_time_s is not None:
        since.append(options.since_time_s)
    return _stamp(int(max(since) * 1e9)) if since else b""


def _stamp(nanoseconds: int) -> bytes:
    whole = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    return b"%s.%09dZ " % (whole.strftime("%Y-%m-%dT%H:%M:%S").encode(), nanoseconds % 10**9)
