"""`seatrial load --workers`: a real Locust master with real workers, against a server that counts."""

import os
import re
import signal

import numpy as np
import orjson
import pytest

from seatrial.errors import InputError, InvalidMeasurement
from seatrial.loads import workers
from seatrial.loads.scenario import read_scenario
from seatrial.loads.schedule import due, windows
from tests.helpers.crews import (
    LOCUST_FILE,
    SCENARIO,
    TAKES_LONG,
    WITHIN_S,
    ledger_in,
    left_running,
    locusts_own,
    pieces,
    result_in,
    run,
    started,
    until,
    url,
)

pytestmark = TAKES_LONG
PATIENT = {**SCENARIO, "timeout_s": 100, "stages": [{"name": "base", "rate_rps": 20, "duration_s": 3}]}
ENDLESS = {**SCENARIO, "stages": [{"name": "base", "rate_rps": 20, "duration_s": 600}]}


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
    # Each worker asks a path of its own, and has ten answers; more of them come to the one that is not killed.
    server.at_once, out = 10, tmp_path / "out"
    process = started(ask(PATIENT, LOCUST_FILE.replace('"/ask"', '"/" + sys.argv[-1]')), server, out)
    other, victim = orjson.loads((out / "master.json").read_bytes())["workers"]
    os.kill(victim["pid"], signal.SIGKILL)
    server.go_on[f"/{other['number']}"].set()
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
    monkeypatch.setattr(workers, "READY_WITHIN_S", 4.0)
    scenario = ask(locust_file=f"{LOCUST_FILE}\nif '--worker' in sys.argv: time.sleep(600)\n")
    with pytest.raises(InvalidMeasurement, match=r"expected Locust's master and 2 workers ready .* within 4 s"):
        run(scenario, "--host", url(server), "--workers", "2", "-q")
    until(lambda: not left_running(tmp_path))


@pytest.mark.parametrize("by_scenario", [True, False], ids=["a scenario", "users"])
def test_locusts_own_processes_work_with_a_ledger_each(server, ask, tmp_path, unused_tcp_port, by_scenario):
    # Without a scenario it is Locust that gives up workers, after so many seconds without a heartbeat.
    heartbeats = "" if by_scenario else "from locust import runners\nrunners.HEARTBEAT_LIVENESS = 100\n"
    scenario, out = ask(locust_file=LOCUST_FILE + heartbeats), tmp_path / "out"
    options = ["--users", "2", "--spawn-rate", "2", *(["--scenario", str(scenario)] if by_scenario else [])]
    process = locusts_own(scenario, server, out, unused_tcp_port, *options)
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
    process = locusts_own(scenario, server, tmp_path / "out", unused_tcp_port, "--users", "1", "--scenario", scenario)
    _, said = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 2
    assert "--users: expected one for each of 2 workers, found 1; give --users 2" in said
    assert server.asked == 0
    until(lambda: not left_running(tmp_path))


@pytest.mark.parametrize(("rate_rps", "needed"), [(20_001, 2), (1_280_000, 64)])
def test_a_rate_says_how_many_workers_it_takes(server, ask, rate_rps, needed):
    scenario = ask({**SCENARIO, "stages": [{"name": "base", "rate_rps": rate_rps, "duration_s": 1}]})
    with pytest.raises(InputError, match=rf"20,000 requests/s for each worker, .* give --workers {needed} or a lower"):
        run(scenario, "--host", url(server), "-q")


def test_a_rate_that_no_number_of_workers_reaches_is_refused(server, ask):
    scenario = ask({**SCENARIO, "stages": [{"name": "base", "rate_rps": 1_280_001, "duration_s": 1}]})
    with pytest.raises(InputError, match=r"rate_rps: expected at most 1280000, found 1280001"):
        run(scenario, "--host", url(server), "--workers", "64", "-q")
