"""A scenario carried out by several Locust workers under one master, and what they recorded merged.

Every process leaves what it has in the folder of the run, wherever it runs; nothing else is needed of one that was
killed.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson

from seatrial.errors import InvalidMeasurement, SeatrialError
from seatrial.loads.locust_run import (
    END_WITHIN_S,
    FAILURE_FILE,
    LEDGER_FILE,
    MASTER_FILE,
    NOTHING_SENT,
    READY_WITHIN_S,
    RUN_FILE,
    Recorded,
    WorkerPart,
    attended,
    clear,
    last_words,
    ledgers_in,
    recorded_in,
    refuse_without_room,
    started_locust,
    unusable,
    why_cut,
    worker_folder,
)
from seatrial.loads.merge import merge
from seatrial.loads.processes import Process, end
from seatrial.loads.scenario import Scenario
from seatrial.loads.stage_rows import StageRows, opened
from seatrial.observation import GeneratorHealth
from seatrial.traffic.fleet import weakest

_TOLD_WITHIN_S = 10.0  # after Locust's master has told them to
_SAVE_WITHIN_S = 30.0  # beyond the longest that a request may be open
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Share:
    """What the master wrote down of one worker."""

    place: int
    requests: int
    clients: int


class Site(Protocol):
    """Where Locust's processes are. What they say and record comes to the folder of the run, whatever the site."""

    def master(self, *options: str) -> Process:
        """Start the master with these options more. Raises ClusterError where that cannot be done."""

    def worker(self, number: int, port: int) -> Process:
        """Start a worker, which goes to this port of the master. Raises ClusterError where that cannot be done."""


class ThisMachine:
    """A site: processes of this machine."""

    def __init__(self, file: Path, scenario_file: Path, folder: Path) -> None:
        self._files, self._folder = (file, scenario_file), folder

    def master(self, *options: str) -> Process:
        bound = ("--master-bind-host", "127.0.0.1", "--master-bind-port", "0")
        return started_locust(*self._files, self._folder, self._folder, "--master", *bound, *options)

    def worker(self, number: int, port: int) -> Process:
        its = worker_folder(self._folder, number)
        return started_locust(*self._files, its, self._folder, *worker_options(number, "127.0.0.1", port))


def worker_options(number: int, master: str, port: int) -> list[str]:
    """Of a worker whose master listens at this address."""
    where = ["--master-host", master, "--master-port", str(port)]
    return ["--worker", *where, "--seatrial-worker", str(number)]


def run_workers(
    count: int,
    site: Site,
    file: Path,
    scenario: Scenario,
    host: str,
    folder: Path,
    extra: Sequence[str],
    look: Callable[[], None],
) -> Recorded:
    """Run a master and `count` workers to the end of the scenario; `look` is called meanwhile.

    `extra` are more options of the master.

    Raises InputError when the Locust file is such that there is no load, InvalidMeasurement when a worker was ended
    before there was one.
    """
    crew = Crew(count, site, file, folder)
    try:
        interrupted = crew.carry_out(host, extra, look)
        crew.let_end(scenario.timeout_s + _SAVE_WITHIN_S)
        return crew.recorded(interrupted)
    finally:
        end(crew.processes, END_WITHIN_S)


class Crew:
    """The processes of one run."""

    def __init__(self, count: int, site: Site, file: Path, folder: Path) -> None:
        self._count, self._site, self._file, self._folder = count, site, file, folder
        self._master: Process | None = None
        self._workers: dict[int, Process] = {}
        self._ended_s: dict[int, float] = {}
        self._began_s: float | None = None  # as we heard of it
        self._deadline_s = 0.0

    @property
    def processes(self) -> list[Process]:
        """Everything that was started."""
        return [*([self._master] if self._master else []), *self._workers.values()]

    def carry_out(self, host: str, extra: Sequence[str], look: Callable[[], None]) -> bool:
        """Start all and wait for the master's end; whether it was Ctrl-C that ended it."""
        clear(self._folder)
        for number in self._numbers:
            clear(worker_folder(self._folder, number))
        self._deadline_s = time.monotonic() + READY_WITHIN_S
        everyone = str(self._count)
        self._master = self._site.master(
            "--expect-workers", everyone, "--host", host, "--users", everyone, "--spawn-rate", everyone, *extra
        )

        def look_at_all() -> None:
            self._look()
            look()

        interrupted = attended(self._master, look_at_all)
        if not interrupted and self._start_s() is None:
            raise self._never_began()
        return interrupted

    def let_end(self, within_s: float) -> None:
        """Wait until every worker has written down what it has; those that were not told to end are."""
        self._wait_for_workers(_TOLD_WITHIN_S)
        for process in self._workers.values():
            process.terminate()
        self._wait_for_workers(within_s)

    def recorded(self, interrupted: bool) -> Recorded:
        """What all of them left, as one; the whole ledger is written down beside theirs."""
        start_s = self._start_s()
        if start_s is None:
            return Recorded((), NOTHING_SENT, stopped=True, start_s=0.0)
        members = self._told()["workers"]
        shares = {one["number"]: Share(one["place"], one["requests"], one["clients"]) for one in members}
        found = {number: self._left_by(number, shares) for number in self._workers if number in shares}
        parts = tuple(part for _, part in found.values())
        lost = [part.lost for part in parts if part.lost]
        if self._master is not None and not interrupted and not all(one["done"] or one["gone"] for one in members):
            lost.append(f"Locust's master {how(self._master, self._folder)} before its workers were done")
        whole = self._folder / LEDGER_FILE
        try:
            merge([(shares[number].place, left.ledgers) for number, (left, _) in found.items()], len(shares), whole)
        except InvalidMeasurement as reason:
            raise InvalidMeasurement(
                "; ".join([str(reason), *lost, "the workers' own are in worker-N there"])
            ) from None
        health = weakest([left.health for left, _ in found.values()])
        return Recorded((whole,), health, any(left.stopped for left, _ in found.values()), start_s, parts, tuple(lost))

    def _left_by(self, number: int, shares: Mapping[int, Share]) -> tuple[Recorded, WorkerPart]:
        """What one worker left, and what to tell of it."""
        share, its = shares[number], worker_folder(self._folder, number)
        with opened(ledgers_in(its)) as rows:
            if (its / RUN_FILE).is_file():
                left, lost = recorded_in(its), ""
            else:
                health = health_of_lost(share, rows.every())
                left = Recorded(tuple(ledgers_in(its)), health, stopped=False, start_s=0.0)
                lost = self._lost(number, shares, len(rows))
            name = self._workers[number].name
            return left, WorkerPart(number, name, share.requests, share.clients, len(rows), lost)

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
        elif self._began_s is None:
            self._began_s = time.monotonic() + self._told()["lead_s"]

    def _start_workers(self) -> None:
        if port := self._told().get("port"):
            for number in self._numbers:
                self._workers[number] = self._site.worker(number, port)

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
        codes = {number: process.poll() for number, process in self._workers.items()}
        ended = [number for number, code in codes.items() if code is not None]
        failed = [number for number in ended if (worker_folder(self._folder, number) / FAILURE_FILE).is_file()]
        failed += [number for number in ended if codes[number]]
        refuse_without_room(self._folder)  # before anybody else is blamed
        if not failed:
            return unusable(self._file, self._folder, "Locust's master")
        number, folder = failed[0], worker_folder(self._folder, failed[0])
        if (codes[number] or 0) >= 0:
            return unusable(self._file, folder, self._named(number))
        return InvalidMeasurement(
            f"{self._named(number)}: expected it to be ready for the load, found that it "
            f"{how(self._workers[number], folder)} before that (its last words: {last_words(folder)}); "
            "see what killed it, and try again"
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
        return f"worker {number} of {self._count} ({self._workers[number].name})"

    def _lost(self, number: int, shares: Mapping[int, Share], rows: int) -> str:
        share, had = shares[number], []
        if requests := sum(one.requests for one in shares.values()):
            had.append(f"{share.requests} of the {requests} scheduled requests")
        if clients := sum(one.clients for one in shares.values()):
            had.append(f"{share.clients} of the {clients} clients that wait for their answers")
        now_s, folder = time.monotonic(), worker_folder(self._folder, number)
        at_s = max(0.0, self._ended_s.get(number, now_s) - (self._began_s or now_s))
        why = why_cut(folder) or how(self._workers[number], folder)
        return (
            f"{self._named(number)} {why} {at_s:.1f} s into the load; "
            f"it had {' and '.join(had)}, {rows} requests of its share are recorded"
        )


def health_of_lost(share: Share, rows: StageRows) -> GeneratorHealth:
    """What can still be said of a generator that ended with its worker: its share, and the lags of the rows it left."""
    lags_s = rows.values(lambda piece: piece.sent_s - piece.scheduled_s)
    lags_s = lags_s[~np.isnan(lags_s)]
    return replace(
        NOTHING_SENT,
        scheduled=max(share.requests, len(rows)),
        sent=len(rows),
        start_lag_p99_s=float(np.quantile(lags_s, 0.99, method="inverted_cdf")) if len(lags_s) else 0.0,
        start_lag_max_s=float(lags_s.max()) if len(lags_s) else 0.0,
        planned_s=float(np.ptp(rows.values(lambda piece: piece.scheduled_s))) if len(rows) else 0.0,
    )


def how(process: Process, folder: Path) -> str:
    """How a process ended, with its last words where it was not killed."""
    fate = process.fate()
    return f"{fate} ({last_words(folder)})" if (process.poll() or 0) >= 0 else fate
