"""Carry out a scenario under Locust, in processes of their own, and bring back what they recorded."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from seatrial.content import content
from seatrial.errors import ClusterError, InputError, InvalidMeasurement
from seatrial.lifetime import ending_with_us
from seatrial.loads.processes import OwnProcess, Process, end
from seatrial.loads.scenario import Scenario, service
from seatrial.observation import GeneratorHealth
from seatrial.traffic.ledger_file import WHOLE, LedgerFile

# What a Locust process with seatrial.loads.locust_user leaves in its folder, and what Locust itself says.
LEDGER_FILE, RUN_FILE = "ledger.chunks", "run.json"
MASTER_FILE, FAILURE_FILE, LOG_FILE = "master.json", "failure.txt", "locust.log"

OF_ONE_USER = ("--users", "1", "--spawn-rate", "1")
READY_WITHIN_S = 180.0  # a master and all its workers
NOTHING_SENT = GeneratorHealth(0, 0, 0.0, 0.0, 0.0, 0.0)
_LOOK_EVERY_S = 0.1
END_WITHIN_S = 5.0
NO_USER = (
    "expected a Locust file with a class of OpenLoopUser, found none; derive its users from that class of "
    "seatrial.loads.locust_user"
)
# What Locust says of a file that does not import that module, which has the option, or has no users at all.
_WITHOUT_USERS = ("unrecognized arguments: --scenario", "No User class found!")
_LEAST_ROOM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class WorkerPart:
    """One worker of a run: what it was to send, and what is recorded of that; `lost` says why that is not all."""

    number: int
    name: str  # of its process or pod
    requests: int  # of open loops, that were due in its share of the schedule
    clients: int  # of closed loops
    recorded: int
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run left behind."""

    ledgers: tuple[Path, ...]  # the files that have its rows
    health: GeneratorHealth
    stopped: bool  # before its end
    start_s: float  # from when on the first request was due
    workers: tuple[WorkerPart, ...] = ()  # empty where one generator carried all of it
    lost: tuple[str, ...] = ()  # which parts of it ended before their time, and why


def loadtest_file(scenario_file: Path, scenario: Scenario) -> Path:
    """The Locust file that a scenario names. Raises InputError when there is none."""
    places = (scenario_file.parent / f"{scenario.loadtest}.py", content("loadtests") / f"{scenario.loadtest}.py")
    for place in places:
        if place.is_file():
            return place
    raise InputError(
        f"{scenario_file}, loadtest: expected a Locust file, found neither {places[0]} nor {places[1]}; "
        "write it, or correct the name"
    )


def refuse_unreachable(host: str) -> None:
    """Raises ClusterError when nobody listens there: a whole run of refusals would say no more."""
    target = service(host)
    try:
        socket.create_connection((target.host, target.port), timeout=5).close()
    except OSError as reason:
        raise ClusterError(
            f"{host}: expected a service that accepts connections, found {reason.strerror or reason}; "
            "start it, or correct --host"
        ) from reason


def run_locust(
    file: Path, scenario_file: Path, host: str, folder: Path, extra: Sequence[str], look: Callable[[], None]
) -> Recorded:
    """Run Locust to the end of the scenario; `extra` are more of its own options, `look` is called meanwhile.

    Raises InputError when the Locust file is such that there is no ledger, and InvalidMeasurement when there was no
    room for it.
    """
    clear(folder)
    process = started_locust(file, scenario_file, folder, folder, "--host", host, *OF_ONE_USER, *extra)
    try:
        interrupted = attended(process, look)
    finally:
        end([process], END_WITHIN_S)
    if cut := why_cut(folder):
        raise InvalidMeasurement(f"{cut}; with --out, what was recorded until then can be read there")
    if not (folder / RUN_FILE).is_file():
        if interrupted:
            return Recorded((), NOTHING_SENT, stopped=True, start_s=0.0)
        refuse_without_room(folder)
        raise unusable(file, folder)
    return recorded_in(folder)


def worker_folder(folder: Path, number: int) -> Path:
    """Where worker `number` (from 1) of a run in `folder` leaves what it has."""
    return folder / f"worker-{number}"


def clear(folder: Path) -> None:
    """Make the folder, without what an earlier run left in it. Raises InvalidMeasurement where it has no room."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in (*ledgers_in(folder), *(folder / name for name in (RUN_FILE, MASTER_FILE, FAILURE_FILE))):
        file.unlink(missing_ok=True)
    refuse_without_room(folder)


def refuse_without_room(folder: Path) -> None:
    """Raises InvalidMeasurement where no ledger would fit."""
    free = shutil.disk_usage(folder).free
    if free < _LEAST_ROOM_BYTES:
        raise InvalidMeasurement(
            f"{folder}: expected room for the ledger, found {free} bytes; free room there, or keep it elsewhere"
        )


def started_locust(file: Path, scenario_file: Path, folder: Path, out: Path, *options: str) -> OwnProcess:
    """Locust with these options; what it says goes to `folder`, what it records to `out`.

    It does not hear Ctrl-C, which is for us to pass on, and ends when we do.
    """
    with (folder / LOG_FILE).open("wb") as log:
        return OwnProcess(
            ending_with_us(
                [
                    sys.executable,
                    "-m",
                    "locust",
                    "-f",
                    file,
                    "--scenario",
                    scenario_file,
                    "--seatrial-out",
                    out,
                    "--exit-code-on-error",
                    "0",
                    *options,
                ]
            ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
        )


def attended(leader: Process, look: Callable[[], None]) -> bool:
    """Wait for Locust's end, looking at things meanwhile; whether it was Ctrl-C that ended it.

    Ctrl-C asks Locust to end, which keeps what it found. A second one is raised as KeyboardInterrupt.
    """
    interrupted = False
    while True:
        try:
            while leader.poll() is None:
                look()
                time.sleep(_LOOK_EVERY_S)
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            leader.terminate()
        else:
            return interrupted


def recorded_in(folder: Path) -> Recorded:
    """What one process left in its folder."""
    facts = orjson.loads((folder / RUN_FILE).read_bytes())
    health = GeneratorHealth(**{**facts["health"], "self_test": tuple(facts["health"]["self_test"])})
    return Recorded(tuple(ledgers_in(folder)), health, facts["stopped"], facts["start_s"])


def ledgers_in(folder: Path) -> list[Path]:
    """The ledgers of the runs of one process: LEDGER_FILE, and one for each further run."""
    stem, _, suffix = LEDGER_FILE.partition(".")
    return sorted(folder.glob(f"{stem}*.{suffix}"))


def why_cut(folder: Path) -> str:
    """Why not all is recorded of what the process sent; empty where nothing says so."""
    for file in ledgers_in(folder):
        with LedgerFile(file) as kept:
            if kept.end not in (None, WHOLE):
                return str(kept.end)
    return ""


def unusable(file: Path, folder: Path, who: str = "it") -> InputError:
    """Locust ended before there was a load, by what it said last."""
    said = _log_of(folder)
    if any(one in said for one in _WITHOUT_USERS):
        return InputError(f"{file}: {NO_USER}")
    lines = re.findall(rf'File "[^"]*\b{re.escape(file.name)}", line (\d+)', said)
    where = f" in line {lines[-1]}" if lines else ""
    return InputError(
        f"{file}: expected a Locust file that can be carried out, "
        f"found that {who} ended{where} with {last_words(folder)}; mend it"
    )


def last_words(folder: Path) -> str:
    """Why a Locust process ended, as far as it said so."""
    failure = folder / FAILURE_FILE
    if failure.is_file() and (reason := failure.read_text(encoding="utf-8")):  # empty where the disk was full
        return reason
    said = _log_of(folder).split("\n")
    return next((line.strip() for line in reversed(said) if line.strip()), "no word")


def _log_of(folder: Path) -> str:
    file = folder / LOG_FILE
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
