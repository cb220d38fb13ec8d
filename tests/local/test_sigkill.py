"""A killed run leaves a readable record, no process, and nothing that `seatrial clean` does not remove."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seatrial.record import RunRecord

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]

CHART = Path(__file__).parents[2] / "charts" / "openmed-service"
KILLS = int(os.environ.get("SEATRIAL_KILLS", "3"))


def descendants(pid: int) -> dict[int, str]:
    """Every process below pid, with its start time, which tells it from a later one of the same number."""
    parents: dict[int, list[int]] = {}
    started: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(folder.name))
        started[int(folder.name)] = fields[19]
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found[child] = started[child]
            waiting.append(child)
    return found


def alive(processes: dict[int, str]) -> list[int]:
    """Those that still run; a zombie has ended and waits for its parent only."""
    left = []
    for pid, start in processes.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[19] == start and fields[0] != "Z":
            left.append(pid)
    return left


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_killed_run_leaves_a_readable_record_and_nothing_else(kill, tmp_path):
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    command = [sys.executable, "-m", "seatrial.cli.main"]
    run = subprocess.Popen(
        [*command, "certify", str(CHART), "--only", "P1", "--only", "D5", "--runs", str(tmp_path / "runs"), "-q"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not any((tmp_path / "runs").glob("*/record.json")):
        assert run.poll() is None
        time.sleep(0.05)
    time.sleep(random.Random(kill).uniform(0.0, 20.0))
    below = descendants(run.pid)
    assert below
    run.send_signal(signal.SIGKILL)
    run.wait()

    deadline = time.monotonic() + 15
    while alive(below) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(below) == []

    records = list((tmp_path / "runs").iterdir())
    assert len(records) == 1
    record = RunRecord.open(records[0])
    assert record.damage() == []
    assert record.header.chart == "openmed-service"

    cleaned = subprocess.run([*command, "clean"], env=environment, capture_output=True, text=True, check=False)
    assert cleaned.returncode == 0, cleaned.stderr
    assert list((tmp_path / "state" / "seatrial" / "local").iterdir()) == []
