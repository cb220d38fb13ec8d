"""Carry out a scenario under Locust, in a process of its own, and bring back what it recorded."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from seatrial.content import content
from seatrial.errors import ClusterError, InputError
from seatrial.observation import GeneratorHealth, Ledger
from seatrial.traffic.recorder import unpack
from seatrial.traffic.scenario import Scenario, service

# What seatrial.traffic.locust_user leaves in the folder, and what Locust itself says.
LEDGER_FILE, RUN_FILE, FAILURE_FILE, LOG_FILE = "ledger.npz", "run.json", "failure.txt", "locust.log"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run left behind."""

    ledger: Ledger
    health: GeneratorHealth
    stopped: bool  # before its end
    start_s: float  # from when on the first request was due


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
            f"{host}: expected a service that accepts connections, found {reason}; start it, or correct --host"
        ) from reason


def run_locust(file: Path, scenario_file: Path, host: str, folder: Path, extra: Sequence[str]) -> Recorded:
    """Run Locust to the end of the scenario; `extra` are more of its own options.

    Raises InputError when the Locust file is such that there is no ledger.
    """
    for name in (LEDGER_FILE, RUN_FILE, FAILURE_FILE):
        (folder / name).unlink(missing_ok=True)  # of an earlier run into the same folder
    with (folder / LOG_FILE).open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "locust", "-f", str(file), "--host", host, "--users", "1", "--spawn-rate", "1",
                "--scenario", str(scenario_file), "--seatrial-out", str(folder), "--exit-code-on-error", "0", *extra,
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        while process.poll() is None:
            # Ctrl-C reaches Locust as well, which ends the run and keeps what it found.
            with contextlib.suppress(KeyboardInterrupt):
                process.wait()
    if not (folder / RUN_FILE).is_file():
        raise InputError(
            f"{file}: expected a Locust file that can be carried out, "
            f"found that it ended with {_last_words(folder)}; mend it"
        )
    facts = orjson.loads((folder / RUN_FILE).read_bytes())
    health = GeneratorHealth(**{**facts["health"], "self_test": tuple(facts["health"]["self_test"])})
    return Recorded(unpack((folder / LEDGER_FILE).read_bytes()), health, facts["stopped"], facts["start_s"])


def _last_words(folder: Path) -> str:
    if (folder / FAILURE_FILE).is_file():
        return (folder / FAILURE_FILE).read_text(encoding="utf-8")
    said = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(said) if line.strip()), "no word")
