"""What a Locust worker adds for a scenario: it takes the share that its master deals it, and begins when that says.

Messages between them, beside Locust's own, each with the number of the run:

    seatrial_share   to a worker    which share it has, and second 0 of the run's clock
    seatrial_here    to the master  which process that is
    seatrial_clock   both ways      what the master's clock shows, for a worker on another machine
    seatrial_ready   to the master  its share is drawn and its generator passed the self-test
    seatrial_start   to all workers when the scenario begins, on the run's clock
    seatrial_done    to the master  its share is over and written down
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gevent
from gevent.event import AsyncResult

from seatrial.errors import InvalidMeasurement
from seatrial.loads.locust_run import worker_folder
from seatrial.loads.shares import Part
from seatrial.traffic.clocks import SAME_CLOCK, ClockOffset, compared

SHARE, HERE, CLOCK = "seatrial_share", "seatrial_here", "seatrial_clock"
READY, START, DONE = "seatrial_ready", "seatrial_start", "seatrial_done"
_CLOCK_WITHIN_S = 10.0


def kernel() -> str:
    """Names this machine since it was booted: processes with the same kernel have the same monotonic clock."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def processes() -> str:
    """Names the set of processes that this one can see by their ids."""
    return f"{kernel()} {os.readlink('/proc/self/ns/pid')}"


class Worker:
    """One worker process and what its master told it."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._runner = environment.runner
        # Kept now: the options of the master take the place of the worker's own with its first task.
        self._number: int = environment.parsed_options.seatrial_worker
        self._run = 0
        self._kernel = ""
        self._part: Part | None = None
        self._start_s: AsyncResult = AsyncResult()
        self._master_now_s: AsyncResult = AsyncResult()
        self._runner.register_message(SHARE, self._on_share)
        self._runner.register_message(CLOCK, self._on_clock)
        self._runner.register_message(START, self._on_start)

    @property
    def folder(self) -> Path | None:
        """Where its ledger belongs: a folder of its own in that of its master."""
        masters = self._environment.parsed_options.seatrial_out
        return worker_folder(Path(masters), self._number or self._runner.worker_index + 1) if masters else None

    def part(self) -> Part | None:
        """Its share of the run that begins; None where the master dealt it none, because it came too late.

        Its origin is on the master's clock: `master_clock` tells what that is on this machine's.
        """
        return self._part

    def master_clock(self) -> ClockOffset:
        """This machine's monotonic clock minus the master's. Waits for the master, so not within its messages.

        Raises InvalidMeasurement where it does not answer.
        """
        return SAME_CLOCK if self._kernel == kernel() else compared(self._asked_now_s)

    def ready(self, requests: int, clients: int, over_s: float) -> float:
        """Say what the share is, and wait for the others; when all begin, on the run's clock.

        The share is over at most over_s after that.
        """
        self._send(READY, requests=requests, clients=clients, over_s=over_s)
        start_s: float = self._start_s.get()
        return start_s

    def done(self) -> None:
        """Say that the share is over, after the last of its statistics."""
        data: dict[str, Any] = {}
        self._environment.events.report_to_master.fire(client_id=self._runner.client_id, data=data)
        self._runner.send_message("stats", data)
        self._send(DONE)

    def _send(self, kind: str, **data: Any) -> None:
        self._runner.send_message(kind, {"run": self._run, **data})

    def _asked_now_s(self) -> float:
        self._master_now_s = AsyncResult()
        self._send(CLOCK)
        try:
            now_s: float = self._master_now_s.get(timeout=_CLOCK_WITHIN_S)
        except gevent.Timeout:
            raise InvalidMeasurement(
                f"--worker: expected Locust's master to tell the time within {_CLOCK_WITHIN_S:g} s, found no answer; "
                "see whether its machine is starved of CPU, and the network between"
            ) from None
        return now_s

    def _on_clock(self, environment: Any, msg: Any, **_: Any) -> None:
        self._master_now_s.set(msg.data["now_s"])

    def _on_share(self, environment: Any, msg: Any, **_: Any) -> None:
        self._run, self._kernel = msg.data["run"], msg.data["kernel"]
        self._part = Part(msg.data["place"], msg.data["members"], msg.data["origin_s"])
        self._start_s = AsyncResult()
        self._send(HERE, number=self._number, pid=os.getpid(), processes=processes())

    def _on_start(self, environment: Any, msg: Any, **_: Any) -> None:
        if msg.data["run"] == self._run:
            self._start_s.set(msg.data["start_s"])
