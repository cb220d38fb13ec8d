"""A Locust master and two workers, started as a user starts them, and what they leave."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
import yaml
from click.testing import CliRunner

from seatrial.cli.load import load
from seatrial.traffic.ledger_file import PREAMBLE_BYTES, LedgerFile

LOCUST_FILE = """
import os, sys, time
from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.plan import Exchange

class Ask(OpenLoopUser):
    rate_rps = 5.0

    def exchanges(self):
        return [Exchange("ask", "GET", "/ask", expect={"a": 1})]
"""
SCENARIO = {
    "apiVersion": "seatrial/v1", "question": "Is every answer right?", "loadtest": "ask", "timeout_s": 5,
    "warmup": {"rate_rps": 10, "duration_s": 0.5},
    "stages": [
        {"name": "base", "rate_rps": 40, "duration_s": 1.5},
        {"name": "clients", "concurrency": 3, "duration_s": 0.5},
    ],
    "slos": {"error_ratio": 0},
}  # fmt: skip
WITHIN_S = 240.0  # a busy machine takes minutes to start three Locusts
TAKES_LONG = pytest.mark.timeout(WITHIN_S + 30)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Write a scenario and its Locust file; whatever is started from here on carries a mark in its environment.

    Nothing of that outlives the test, however it ended.
    """
    monkeypatch.setenv("SEATRIAL_TEST_MARK", str(tmp_path))

    def written(scenario=SCENARIO, locust_file=LOCUST_FILE):
        (tmp_path / "ask.py").write_text(locust_file)
        file = tmp_path / "ask.yaml"
        file.write_text(yaml.safe_dump(scenario))
        return file

    yield written
    while left := left_running(tmp_path):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.05)


def run(*arguments):
    found = CliRunner().invoke(load, [str(argument) for argument in arguments], standalone_mode=False)
    if found.exception:
        raise found.exception
    return found.return_value


def started(scenario, server, out):
    """`seatrial load` with two workers as a user starts it, up to the first rows of both."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "seatrial.cli.main", "load", str(scenario), "--workers", "2", "-q",
            "--host", url(server), "--out", str(out),
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        # A test run in the background may ignore Ctrl-C, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    until(lambda: all(pieces(out, number) for number in (1, 2)) or process.poll() is not None)
    assert process.poll() is None, process.stderr.read()
    return process


def locusts_own(scenario_file, server, out, port, *options):
    """`locust --processes 2` as a user starts it."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "locust", "-f", str(scenario_file.with_suffix(".py")), "--processes", "2",
            "--headless", "--master-bind-port", str(port), "--master-port", str(port),
            "--host", url(server), "--seatrial-out", str(out), *options,
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def pieces(out, number):
    file = out / f"worker-{number}" / "ledger.chunks"
    return file.exists() and file.stat().st_size > PREAMBLE_BYTES


def url(server):
    return f"http://127.0.0.1:{server.server_port}"


def until(holds):
    deadline_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.05)


def left_running(tmp_path):
    """Processes with this test's mark, the generators among them, other than this one."""
    mark = f"SEATRIAL_TEST_MARK={tmp_path}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = mark in (folder / "environ").read_bytes()
        except OSError:
            continue
        if marked and folder.name != str(os.getpid()):
            found.append(folder.name)
    return found


def ledger_in(folder):
    with LedgerFile(folder / "ledger.chunks") as kept:
        return kept.ledger()


def result_in(folder):
    return orjson.loads((folder / "result.json").read_bytes())
