"""The sink that puts chunks into a ledger's file, in a thread of its own."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seatrial.errors import InvalidMeasurement
from seatrial.traffic.chunk import Chunk, Part, since
from seatrial.traffic.ledger_file import WHOLE, Frame, LedgerFile, frame_at, frame_bytes, preamble

# A disk that is slower than this for long holds up whoever records, who sees it as lag; memory stays bounded.
_MOST_WAITING = 32


def write(path: Path, chunks: Iterable[Chunk], rows: int) -> None:
    """So many rows, whose times are those of the run's clock, as a file. Raises InvalidMeasurement where it fails."""
    try:
        writer = LedgerWriter(path, 0.0)
    except OSError as reason:
        raise InvalidMeasurement(
            f"{path}: expected room for the ledger of {rows} requests, found {reason.strerror}; "
            "free room there, or keep the ledger elsewhere"
        ) from None
    for chunk in chunks:
        writer.take(chunk)
    writer.close()
    if writer.failure is not None:
        raise InvalidMeasurement(writer.failure)


class LedgerWriter:
    """Writes chunks; from the first that cannot be written on, all are lost, and the file says why."""

    on_disk = True

    def __init__(self, path: Path, origin_s: float) -> None:
        """Begin the file anew; origin_s is second 0 of the run's clock. Raises OSError."""
        self.failure: str | None = None
        self._path = path
        self._origin_s = origin_s
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._end = 0
        self._closed = False
        self._frames: list[Frame] = []
        self._waiting: deque[Chunk] = deque()
        self._lock = threading.Lock()
        self._queue: queue.Queue[Chunk | None] = queue.Queue(_MOST_WAITING)
        try:
            self._append(preamble(origin_s, None))
        except OSError:
            os.close(self._file)
            path.unlink(missing_ok=True)  # a file without its first bytes would be taken for damage
            raise
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def take(self, chunk: Chunk) -> None:
        """Write a chunk soon; waits only while 32 others do."""
        with self._lock:
            self._waiting.append(chunk)
        self._queue.put(chunk)

    @contextlib.contextmanager
    def reading(self, first_row: int = 0) -> Iterator[tuple[Sequence[Part], int]]:
        with self._lock:
            if not self._closed:
                parts: list[Part] = [*self._frames, *self._waiting]
                yield since(parts, first_row)
                return
        with LedgerFile(self._path) as kept:
            yield since(kept.parts, first_row)

    def drain(self) -> None:
        """Wait until all that was given is written."""
        self._queue.join()

    def close(self) -> None:
        """Wait until all is written, and say in the file that it is whole."""
        self._queue.put(None)
        self._thread.join()
        with self._lock:
            self._closed = True
            self._frames.clear()
            os.close(self._file)

    def _serve(self) -> None:
        while (chunk := self._queue.get()) is not None:
            frame = self._written(chunk) if self.failure is None else None
            with self._lock:
                self._waiting.popleft()
                if frame is not None:
                    self._frames.append(frame)
            self._queue.task_done()
        self._queue.task_done()
        if self.failure is None:
            self._mark(WHOLE)

    def _written(self, chunk: Chunk) -> Frame | None:
        offset = self._end
        try:
            self._append(frame_bytes(chunk))
            return frame_at(self._file, offset)
        except OSError as reason:
            self._fail(offset, reason.strerror or str(reason))
        except Exception as reason:  # noqa: BLE001 - a thread that ends would let the recorder wait for ever
            self._fail(offset, f"{type(reason).__name__}: {reason}")
        return None

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        at = self._end
        while left:
            written = os.pwrite(self._file, left, at)
            left, at = left[written:], at + written
        self._end = at

    def _fail(self, whole_until: int, reason: str) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, whole_until)
        rows = sum(frame.rows for frame in self._frames)
        failure = (
            f"{self._path}: expected room for the ledger, some 140 bytes a request and 8 an event of a stream, "
            f"found {reason} after {rows} requests; free room there, or keep the ledger elsewhere"
        )
        self._mark(failure)
        self.failure = failure

    def _mark(self, end: str) -> None:
        # In place: the room for it was taken when there was some.
        with contextlib.suppress(OSError):
            os.pwrite(self._file, preamble(self._origin_s, end), 0)
