"""The processes of a load, wherever they run: used as subprocess.Popen is, with words for what became of them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Protocol


class Process(Protocol):
    """One process that was started."""

    @property
    def name(self) -> str:
        """What a user finds it by."""

    def poll(self) -> int | None:
        """Its exit status, below 0 for a signal's number; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. Raises subprocess.TimeoutExpired."""

    def terminate(self) -> None:
        """Ask it to end; it may keep what it has."""

    def kill(self) -> None:
        """End it."""

    def fate(self) -> str:
        """How it ended, said of it: `was killed by signal 9 (SIGKILL)`; "" while it runs."""


class OwnProcess(subprocess.Popen[bytes]):
    """A process of this machine."""

    @property
    def name(self) -> str:
        return f"process {self.pid}"

    def fate(self) -> str:
        return fate(self.poll())


def fate(code: int | None) -> str:
    """An exit status in words."""
    if code is None:
        return ""
    return f"was killed by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"ended with status {code}"


def end(processes: Sequence[Process], within_s: float) -> None:
    """End what still runs: it may keep what it has, if that takes no longer than so many seconds."""
    for process in processes:
        process.terminate()
    deadline_s = time.monotonic() + within_s
    for process in processes:
        try:
            process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
