"""Where a load is: told while it is carried out, from the clock and from what its generators have written so far."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from seatrial.loads.scenario import Scenario
from seatrial.loads.schedule import windows
from seatrial.traffic.ledger_file import PREAMBLE_BYTES, frame_at

TELL_EVERY_S = 10.0
LEDGERS = ("ledger*.chunks", "worker-*/ledger*.chunks")


class Underway:
    """Calls `say` every 10 s of a load whose ledgers are below `folder`; `look` is to be called often.

    The load is taken to begin when its first ledger does, which is half a second or so before its first request.
    """

    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        say: Callable[[str], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._windows = list(windows(scenario, 0.0))
        self._folder, self._say, self._now_s = folder, say, now_s
        self._read: dict[Path, tuple[int, int]] = {}  # of each ledger: its bytes that were read, the rows in them
        self._began_s: float | None = None
        self._tell_s = 0.0

    def look(self) -> None:
        """Say where the load is, if it is time to."""
        now_s = self._now_s()
        if now_s < self._tell_s:
            return
        ledgers = [file for pattern in LEDGERS for file in self._folder.glob(pattern)]
        if self._began_s is None:
            if not ledgers:
                return
            self._began_s = now_s
        else:
            for file in ledgers:
                self._read[file] = _rows_until(file, *self._read.get(file, (PREAMBLE_BYTES, 0)))
            self._say(self._place(now_s - self._began_s))
        self._tell_s = now_s + TELL_EVERY_S

    def _place(self, passed_s: float) -> str:
        ended = f"{sum(rows for _, rows in self._read.values())} requests ended"
        whole_s = self._windows[-1].end_s
        for window in self._windows:
            if passed_s < window.end_s:
                within = f"{window.name}: {passed_s - window.start_s:.0f} of {window.demand.duration_s:g} s"
                return f"{within}; {passed_s:.0f} of {whole_s:g} s in all, {ended}"
        return f"all {whole_s:g} s are over, {ended}; waiting for the last answers"


def _rows_until(file: Path, at: int, rows: int) -> tuple[int, int]:
    """How far the whole chunks of a ledger reach, and how many rows they have; `at` and `rows` as of the last time."""
    opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(opened).st_size
        while (frame := frame_at(opened, at)) is not None and at + frame.size <= size:
            at, rows = at + frame.size, rows + frame.rows
    finally:
        os.close(opened)
    return at, rows
