"""A scenario carried out by several Locust workers of this machine under one master, and what they recorded merged.

Every process leaves what it has in the folder of the run; nothing else is needed of one that was killed.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from seatrial.errors import InvalidMeasurement, SeatrialError
from seatrial.observation import GeneratorHealth, Ledger, joined, ledger
from seatrial.traffic.fleet import apart, weakest
from seatrial.traffic.ledger_writer import write
from seatrial.traffic.locust_run import (
    FAILURE_FILE,
    LEDGER_FILE,
    MASTER_FILE,
    NOTHING_SENT,
    RUN_FILE,
    Recorded,
    WorkerPart,
    attended,
    clear,
    end,
    last_words,
    recorded_in,
    rows_in,
    started_locust,
    unusable,
    why_cut,
    worker_folder,
)
from seatrial.traffic.scenario import Scenario

READY_WITHIN_S = 180.0
_END_WITHIN_S = 10.0  # after Locust's master has told them to
_SAVE_WITHIN_S = 30.0  # beyond the longest that a request may be open
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Share:
    """What the master wrote down of one worker."""

    place: int
    requests: int
    clients: int


def run_workers(
    count: int, file: Path, scenario_file: Path, scenario: Scenario, host: str, folder: Path, extra: Sequence[str]
) -> Recorded:
    """Run a master and `count` workers to the end of the scenario; `extra` are more options of the master.

    Raises InputError when the Locust file is such that there is no load, InvalidMeasurement when a worker was ended
    before there was one.
    """
    crew = Crew(count, file, scenario_file, folder)
    try:
        interrupted = crew.carry_out(host, extra)
        crew.let_end(scenario.timeout_s + _SAVE_WITHIN_S)
        return crew.recorded(interrupted)
    finally:
        end(crew.processes)


class Crew:
    """The processes of one run."""

    def __init__(self, count: int, file: Path, scenario_file: Path, folder: Path) -> None:
        self._count, self._file, self._scenario_file, self._folder = count, file, scenario_file, folder
        self._master: subprocess.Popen[bytes] | None = None
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._ended_s: dict[int, float] = {}
        self._deadline_s = 0.0

    @property
    def processes(self) -> list[subprocess.Popen[bytes]]:
        """Everything that was started."""
        return [*([self._master] if self._master else []), *self._workers.values()]

    def carry_out(self, host: str, extra: Sequence[str]) -> bool:
        """Start all and wait for the master's end; whether it was Ctrl-C that ended it."""
        clear(self._folder)
        for number in self._numbers:
            clear(worker_folder(self._folder, number))
        self._deadline_s = time.monotonic() + READY_WITHIN_S
        everyone = str(self._count)
        self._master = started_locust(
            self._file, self._scenario_file, self._folder, self._folder, "--master",
            "--master-bind-host", "127.0.0.1", "--master-bind-port", "0", "--expect-workers", everyone,
            "--host", host, "--users", everyone, "--spawn-rate", everyone, *extra,
        )  # fmt: skip
        interrupted = attended(self._master, self._look)
        if not interrupted and self._start_s() is None:
            raise self._never_began()
        return interrupted

    def let_end(self, within_s: float) -> None:
        """Wait until every worker has written down what it has; those that were not told to end are."""
        self._wait_for_workers(_END_WITHIN_S)
        for process in self._workers.values():
            process.terminate()
        self._wait_for_workers(within_s)

    def recorded(self, interrupted: bool) -> Recorded:
        """What all of them left, as one; the whole ledger is written down beside theirs."""
        start_s = self._start_s()
        if start_s is None:
            return Recorded(ledger([]), NOTHING_SENT, stopped=True, start_s=0.0)
        members = self._told()["workers"]
        shares = {one["pid"]: Share(one["place"], one["requests"], one["clients"]) for one in members}
        found = [self._left_by(number, shares) for number, process in self._workers.items() if process.pid in shares]
        whole = joined(rows for rows, _, _, _ in found)
        write(self._folder / LEDGER_FILE, whole)
        parts = tuple(part for _, _, _, part in found)
        lost = [part.lost for part in parts if part.lost]
        if self._master is not None and not interrupted and not all(one["done"] or one["gone"] for one in members):
            lost.append(f"Locust's master {_how(self._master, self._folder)} before its workers were done")
        stopped = any(stopped for _, _, stopped, _ in found)
        return Recorded(whole, weakest([health for _, health, _, _ in found]), stopped, start_s, parts, tuple(lost))

    def _left_by(self, number: int, shares: Mapping[int, Share]) -> tuple[Ledger, GeneratorHealth, bool, WorkerPart]:
        """One worker's rows, its generator's health, whether it was stopped before its end, and what to tell of it."""
        pid, its = self._workers[number].pid, worker_folder(self._folder, number)
        share = shares[pid]
        if (its / RUN_FILE).is_file():
            left = recorded_in(its)
            rows, health, stopped, lost = left.ledger, left.health, left.stopped, ""
        else:
            rows, stopped = rows_in(its), False
            health, lost = health_of_lost(share, rows), self._lost(number, shares, len(rows))
        part = WorkerPart(number, pid, share.requests, share.clients, len(rows), lost)
        return replace(rows, connection=apart(rows.connection, share.place, len(shares))), health, stopped, part

    @property
    def _numbers(self) -> range:
        return range(1, self._count + 1)

    def _look(self) -> None:
        if not self._workers:
            self._start_workers()
        for number, process in self._workers.items():
            if process.poll() is not None:
                self._ended_s.setdefault(number, time.monotonic())
        if self._start_s() is None:
            if self._ended_s:
                raise self._never_began()
            if time.monotonic() > self._deadline_s:
                raise self._not_ready_in_time()

    def _start_workers(self) -> None:
        if port := self._told().get("port"):
            for number in self._numbers:
                self._workers[number] = started_locust(
                    self._file, self._scenario_file, worker_folder(self._folder, number), self._folder, "--worker",
                    "--master-host", "127.0.0.1", "--master-port", str(port), "--seatrial-worker", str(number),
                )  # fmt: skip

    def _told(self) -> Mapping[str, Any]:
        file = self._folder / MASTER_FILE
        told: Mapping[str, Any] = orjson.loads(file.read_bytes()) if file.is_file() else {}
        return told

    def _start_s(self) -> float | None:
        start_s: float | None = self._told().get("start_s")
        return start_s

    def _wait_for_workers(self, within_s: float) -> None:
        deadline_s = time.monotonic() + within_s
        for process in self._workers.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline_s - time.monotonic()))

    def _never_began(self) -> SeatrialError:
        """Some process ended before there was a load: the one that says why."""
        self._wait_for_workers(1.0)  # one that fails may end before the one that says why
        ended = [number for number, process in self._workers.items() if process.poll() is not None]
        failed = [number for number in ended if (worker_folder(self._folder, number) / FAILURE_FILE).is_file()]
        failed += [number for number in ended if (self._workers[number].returncode or 0) != 0]
        if not failed:
            return unusable(self._file, self._folder, "Locust's master")
        number, folder = failed[0], worker_folder(self._folder, failed[0])
        process = self._workers[number]
        if (process.returncode or 0) >= 0:
            return unusable(self._file, folder, self._named(number))
        return InvalidMeasurement(
            f"{self._named(number)}: expected it to be ready for the load, found that it {_how(process, folder)} "
            f"before that (its last words: {last_words(folder)}); see what killed it, and try again"
        )

    def _not_ready_in_time(self) -> SeatrialError:
        said = [f"worker {number}: {last_words(worker_folder(self._folder, number))}" for number in self._workers]
        return InvalidMeasurement(
            f"{self._file}: expected Locust's master and {self._count} workers ready for the load within "
            f"{READY_WITHIN_S:g} s, found that they were not; their last words: "
            f"{'; '.join([f'master: {last_words(self._folder)}', *said])}; see whether this machine is too busy, "
            "or what the Locust file waits for"
        )

    def _named(self, number: int) -> str:
        return f"worker {number} of {self._count} (process {self._workers[number].pid})"

    def _lost(self, number: int, shares: Mapping[int, Share], rows: int) -> str:
        process = self._workers[number]
        share = shares[process.pid]
        had = []
        if requests := sum(one.requests for one in shares.values()):
            had.append(f"{share.requests} of the {requests} scheduled requests")
        if clients := sum(one.clients for one in shares.values()):
            had.append(f"{share.clients} of the {clients} clients that wait for their answers")
        began_s = self._told()["origin_s"] + (self._start_s() or 0.0)
        at_s = max(0.0, self._ended_s.get(number, time.monotonic()) - began_s)
        folder = worker_folder(self._folder, number)
        return (
            f"{self._named(number)} {why_cut(folder) or _how(process, folder)} {at_s:.1f} s into the load; "
            f"it had {' and '.join(had)}, {rows} requests of its share are recorded"
        )


def health_of_lost(share: Share, rows: Ledger) -> GeneratorHealth:
    """What can still be said of a generator that ended with its worker: its share, and the lags of the rows it left."""
    lags_s = rows.sent_s - rows.scheduled_s
    lags_s = lags_s[~np.isnan(lags_s)]
    return replace(
        NOTHING_SENT,
        scheduled=max(share.requests, len(rows)),
        sent=len(rows),
        start_lag_p99_s=float(np.quantile(lags_s, 0.99, method="inverted_cdf")) if len(lags_s) else 0.0,
        start_lag_max_s=float(lags_s.max()) if len(lags_s) else 0.0,
        planned_s=float(np.ptp(rows.scheduled_s)) if len(rows) else 0.0,
    )


def _how(process: subprocess.Popen[bytes], folder: Path) -> str:
    code = process.returncode
    if code is not None and code < 0:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    return f"ended with status {code} ({last_words(folder)})"
