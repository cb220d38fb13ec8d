"""`seatrial load --workers`: a real Locust master with real workers, against a server that counts."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
import yaml
from click.testing import CliRunner

from seatrial.cli.load import load
from seatrial.errors import InputError, InvalidMeasurement
from seatrial.loads import workers
from seatrial.loads.scenario import read_scenario
from seatrial.loads.schedule import due, windows
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
LONG = {**SCENARIO, "stages": [{"name": "base", "rate_rps": 20, "duration_s": 8}]}
ENDLESS = {**SCENARIO, "stages": [{"name": "base", "rate_rps": 20, "duration_s": 600}]}
WITHIN_S = 100.0


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Write a scenario and its Locust file; whatever is started from here on carries a mark in its environment."""
    monkeypatch.setenv("SEATRIAL_TEST_MARK", str(tmp_path))

    def written(scenario=SCENARIO, locust_file=LOCUST_FILE):
        (tmp_path / "ask.py").write_text(locust_file)
        file = tmp_path / "ask.yaml"
        file.write_text(yaml.safe_dump(scenario))
        return file

    return written


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


def test_two_workers_send_the_schedule_and_the_sum_of_their_ledgers_is_what_the_server_counted(server, ask, tmp_path):
    scenario, out = ask(), tmp_path / "out"
    status = run(scenario, "--host", url(server), "--workers", "2", "--out", out, "-q", "--json")
    whole, parts, document = ledger_in(out), [ledger_in(out / f"worker-{number}") for number in (1, 2)], result_in(out)
    assert len(whole) == sum(map(len, parts)) == server.asked == document["generator"]["sent"]
    start_s = orjson.loads((out / "master.json").read_bytes())["start_s"]
    warmup, base, _ = windows(read_scenario(scenario), start_s)
    for window in (warmup, base):
        np.testing.assert_allclose(whole.of(window.name).scheduled_s, due(window), rtol=0, atol=1e-6)
        for part in parts:
            assert abs(len(part.of(window.name)) - len(due(window)) / 2) <= 0.5
    assert document["arrivals"]["base"]["misplaced"] == 0
    assert all(len(part.of("clients")) for part in parts)
    assert len(np.unique(whole.connection)) == len(whole)
    assert [(worker["number"], worker["clients"], worker["lost"]) for worker in document["workers"]] in (
        [(1, 1, ""), (2, 2, "")], [(1, 2, ""), (2, 1, "")],
    )  # fmt: skip
    assert sum(worker["requests"] for worker in document["workers"]) == len(due(warmup)) + len(due(base))
    assert [worker["recorded"] for worker in document["workers"]] == [len(part) for part in parts]
    aggregated = re.search(r"^\s*Aggregated\s+(\d+)\s", (out / "locust.log").read_text(), re.MULTILINE)
    assert int(aggregated[1]) == server.asked  # as on Locust's page
    # Whether the generators kept up depends on the machine that runs this test.
    assert all("fell behind" in reason for reason in document["invalid"])
    assert status == (2 if document["invalid"] else 0)
    until(lambda: not left_running(tmp_path))


def test_a_worker_that_is_killed_is_named_and_the_others_go_on_to_the_end(server, ask, tmp_path):
    out = tmp_path / "out"
    process = started(ask(LONG), server, out)
    victim = orjson.loads((out / "master.json").read_bytes())["workers"][1]
    os.kill(victim["pid"], signal.SIGKILL)
    assert process.wait(WITHIN_S) == 2
    document, whole = result_in(out), ledger_in(out)
    (lost,) = [worker for worker in document["workers"] if worker["lost"]]
    (alive,) = [worker for worker in document["workers"] if not worker["lost"]]
    total = lost["requests"] + alive["requests"]
    assert lost["number"] == victim["number"]
    assert document["invalid"][0] == lost["lost"]
    assert f"worker {lost['number']} of 2 (process {victim['pid']}) was killed by signal 9 (SIGKILL)" in lost["lost"]
    assert f"{lost['requests']} of the {total} scheduled requests" in lost["lost"]
    assert alive["recorded"] == alive["requests"] == len(ledger_in(out / f"worker-{alive['number']}"))
    assert 0 < lost["recorded"] < lost["requests"]
    assert len(whole) == alive["recorded"] + lost["recorded"] <= server.asked
    until(lambda: not left_running(tmp_path))


def test_a_master_that_is_killed_ends_the_run_and_costs_no_row(server, ask, tmp_path):
    out = tmp_path / "out"
    process = started(ask(ENDLESS), server, out)
    os.kill(orjson.loads((out / "master.json").read_bytes())["pid"], signal.SIGKILL)
    assert process.wait(WITHIN_S) == 2
    until(lambda: not left_running(tmp_path))
    said = result_in(out)["invalid"]
    assert said[0] == "Locust's master was killed by signal 9 (SIGKILL) before its workers were done"
    assert len(ledger_in(out)) == server.asked > 0


def test_ctrl_c_ends_everything_and_keeps_what_was_found(server, ask, tmp_path):
    out = tmp_path / "out"
    process = started(ask(ENDLESS), server, out)
    process.send_signal(signal.SIGINT)
    assert process.wait(WITHIN_S) == 2
    until(lambda: not left_running(tmp_path))
    assert result_in(out)["invalid"][0] == "the run was stopped before its last request was due"
    assert len(ledger_in(out)) == server.asked > 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_load_goes_on_without_the_command_that_asked_for_it(server, ask, tmp_path, how):
    process = started(ask(ENDLESS), server, tmp_path / "out")
    process.send_signal(how)
    process.wait(WITHIN_S)
    until(lambda: not left_running(tmp_path))


@pytest.mark.parametrize(
    ("then", "error", "said"),
    [
        (
            "raise ValueError('mine')",
            InputError,
            r"worker \d of 2 \(process \d+\) ended in line \d+ with ValueError: mine",
        ),
        ("os.kill(os.getpid(), 9)", InvalidMeasurement, r"worker \d of 2 .* was killed by signal 9 \(SIGKILL\) before"),
        ("Ask.exchanges = lambda user: []", InputError, r"worker \d of 2 .* ended with InputError: picks"),
    ],
    ids=["broken", "killed", "empty"],
)
def test_a_worker_that_does_not_come_up_is_told_with_its_last_words(server, ask, tmp_path, then, error, said):
    scenario = ask(locust_file=f"{LOCUST_FILE}\nif '--worker' in sys.argv: {then}\n")
    with pytest.raises(error, match=said):
        run(scenario, "--host", url(server), "--workers", "2", "-q")
    until(lambda: not left_running(tmp_path))
    assert server.asked == 0


def test_a_worker_that_never_is_ready_is_not_waited_for_without_end(server, ask, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "READY_WITHIN_S", 8.0)
    scenario = ask(locust_file=f"{LOCUST_FILE}\nif '--worker' in sys.argv: time.sleep(600)\n")
    with pytest.raises(InvalidMeasurement, match=r"expected Locust's master and 2 workers ready .* within 8 s"):
        run(scenario, "--host", url(server), "--workers", "2", "-q")
    until(lambda: not left_running(tmp_path))


@pytest.mark.parametrize("by_scenario", [True, False], ids=["a scenario", "users"])
def test_locusts_own_processes_work_with_a_ledger_each(server, ask, tmp_path, unused_tcp_port, by_scenario):
    scenario, out = ask(), tmp_path / "out"
    process = subprocess.Popen(
        [
            sys.executable, "-m", "locust", "-f", str(tmp_path / "ask.py"), "--processes", "2", "--headless",
            "--master-bind-port", str(unused_tcp_port), "--master-port", str(unused_tcp_port),
            "--users", "2", "--spawn-rate", "2", "--host", url(server), "--seatrial-out", str(out),
            *(["--scenario", str(scenario)] if by_scenario else []),
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    if not by_scenario:  # which would go on for ever
        until(lambda: all(pieces(out, number) for number in (1, 2)) or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=WITHIN_S)
    parts = [ledger_in(out / f"worker-{number}") for number in (1, 2)]
    assert sum(map(len, parts)) == server.asked > 0, said
    assert all(len(part) for part in parts)
    assert parts[0].scheduled_s[0] != parts[1].scheduled_s[0]
    until(lambda: not left_running(tmp_path))


def test_fewer_users_than_workers_are_refused_in_words(server, ask, tmp_path, unused_tcp_port):
    scenario = ask()
    found = subprocess.run(
        [
            sys.executable, "-m", "locust", "-f", str(tmp_path / "ask.py"), "--processes", "2", "--headless",
            "--master-bind-port", str(unused_tcp_port), "--master-port", str(unused_tcp_port),
            "--users", "1", "--host", url(server), "--scenario", str(scenario),
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WITHIN_S,
    )  # fmt: skip
    assert found.returncode == 2
    assert "--users: expected one for each of 2 workers, found 1; give --users 2" in found.stderr
    assert server.asked == 0
    until(lambda: not left_running(tmp_path))


@pytest.mark.parametrize(("rate_rps", "needed"), [(20_001, 2), (1_280_000, 64)])
def test_a_rate_says_how_many_workers_it_takes(server, ask, rate_rps, needed):
    scenario = ask({**SCENARIO, "stages": [{"name": "base", "rate_rps": rate_rps, "duration_s": 1}]})
    with pytest.raises(InputError, match=rf"20,000 requests/s for each worker, .* give --workers {needed} or a lower"):
        run(scenario, "--host", url(server), "-q")


def test_a_rate_that_no_number_of_workers_reaches_is_refused(server, ask):
    scenario = ask({**SCENARIO, "stages": [{"name": "base", "rate_rps": 1_280_001, "duration_s": 1}]})
    with pytest.raises(InputError, match=r"rate_rps: expected less than or equal to 1280000, found 1280001"):
        run(scenario, "--host", url(server), "--workers", "64", "-q")
