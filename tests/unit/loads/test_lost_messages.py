"""A load with workers ends, and says how, whichever of Locust's messages come late, twice or never."""

import re

import pytest

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
    result_in,
    run,
    until,
    url,
)

pytestmark = TAKES_LONG
SHORT = {
    **{name: value for name, value in SCENARIO.items() if name != "warmup"},
    "stages": [{"name": "base", "rate_rps": 40, "duration_s": 1}],
}
ENDLESS = {**SHORT, "stages": [{"name": "base", "rate_rps": 20, "duration_s": 600}]}

HOOKS = f"""{LOCUST_FILE}
import gevent
from gevent.event import Event
from pathlib import Path
from locust import __version__, events, runners
from locust.rpc import Message
from seatrial.loads import locust_master
from seatrial.loads.locust_worker import READY, Worker

is_worker = "--worker" in sys.argv
begin = Worker._on_start  # what a worker does when it hears that the load begins
"""
# Of workers that are silent from the load's begin on, Locust would say within a second that they are missing.
SILENT = """
started, beat = Event(), runners.WorkerRunner.heartbeat

def until_started(runner):
    beating = gevent.spawn(beat, runner)
    started.wait()
    beating.kill()

def begin_in_silence(worker, **message):
    started.set()
    begin(worker, **message)

runners.WorkerRunner.heartbeat = until_started
Worker._on_start = begin_in_silence

@events.test_start.add_listener
def count_faster(environment, **_):
    if not is_worker:
        runners.HEARTBEAT_INTERVAL = 0.15
"""
# As a worker does that had no answer from its master for 5 s; its first word may have been heard all the same.
TWICE_READY = """
known = []
events.init.add_listener(lambda runner, **_: known.append(runner))

@events.spawning_complete.add_listener
def once_more(user_count):
    if is_worker and known:
        runner = known.pop()
        runner.client.send(Message("client_ready", __version__, runner.client_id))
"""
WITHOUT_ITS_USER = """
def begin_alone(worker, environment, **message):
    begin(worker, environment, **message)
    gevent.spawn(environment.runner.stop_users, {"Ask": 1})

Worker._on_start = begin_alone
"""
# As Locust does where it heard no worker for 4 s.
STOPPED = """
@events.init.add_listener
def stop_when_something_was_sent(environment, **_):
    if not is_worker:
        gevent.spawn(stop, environment)

def stop(environment):
    while not environment.stats.total.num_requests:
        gevent.sleep(0.1)
    environment.runner.stop()
"""
NEVER_DONE = """
Worker.done = lambda worker: None
written = [Path(__file__).parent / "out" / f"worker-{number}" / "run.json" for number in (1, 2)]

def the_time_is_up():
    while not all(file.exists() for file in written):
        gevent.sleep(0.1)
    locust_master._DONE_WITHIN_S = -1000.0

if not is_worker:
    gevent.spawn(the_time_is_up)
"""
NEVER_STARTED = """
Worker._on_start = lambda worker, **message: None
locust_master._DONE_WITHIN_S = -4.0
"""
NEVER_READY = """
send = Worker._send
Worker._send = lambda worker, kind, **data: None if kind == READY else send(worker, kind, **data)
locust_master.READY_WITHIN_S = 2.0
"""


def carried_out(scenario, server, out):
    status = run(scenario, "--host", url(server), "--workers", "2", "--out", out, "-q", "--json")
    return status, result_in(out), ledger_in(out), (out / "locust.log").read_text()


@pytest.mark.parametrize("hooks", [SILENT, TWICE_READY, WITHOUT_ITS_USER], ids=["silent", "twice ready", "no user"])
def test_a_share_is_carried_out_whatever_locust_thinks_of_its_worker(server, ask, tmp_path, hooks):
    scenario = ask(SHORT, HOOKS + hooks)
    status, document, whole, _ = carried_out(scenario, server, tmp_path / "out")
    (base,) = windows(read_scenario(scenario), 0.0)
    assert len(whole) == server.asked == len(due(base))
    assert [worker["lost"] for worker in document["workers"]] == ["", ""]
    assert all(worker["recorded"] == worker["requests"] > 0 for worker in document["workers"])
    # Whether the generators kept up depends on the machine that runs this test.
    assert all("fell behind" in reason for reason in document["invalid"])
    assert status == (2 if document["invalid"] else 0)
    until(lambda: not left_running(tmp_path))


def test_a_load_that_locust_stops_by_itself_is_over(server, ask, tmp_path):
    status, document, whole, _ = carried_out(ask(ENDLESS, HOOKS + STOPPED), server, tmp_path / "out")
    assert status == 2
    assert "the run was stopped before its last request was due" in document["invalid"]
    assert len(whole) == server.asked > 0
    until(lambda: not left_running(tmp_path))


def test_a_share_that_is_over_without_a_word_is_not_waited_for(server, ask, tmp_path):
    status, document, whole, said = carried_out(ask(SHORT, HOOKS + NEVER_DONE), server, tmp_path / "out")
    assert len(re.findall(r"share \d .* its worker, process \d+, did not say that it is done within", said)) == 2
    assert len(whole) == server.asked > 0
    assert [worker["lost"] for worker in document["workers"]] == ["", ""]
    assert all("fell behind" in reason for reason in document["invalid"])
    assert status == (2 if document["invalid"] else 0)
    until(lambda: not left_running(tmp_path))


def test_workers_that_do_not_hear_of_the_begin_are_lost(server, ask, tmp_path):
    status, document, whole, said = carried_out(ask(SHORT, HOOKS + NEVER_STARTED), server, tmp_path / "out")
    assert status == 2
    assert len(whole) == server.asked == 0
    assert len(re.findall(r"share \d .* did not say that it is done", said)) == 2
    assert [worker["number"] for worker in document["workers"] if worker["lost"]] == [1, 2]
    for worker in document["workers"]:
        had = f"it had {worker['requests']} of the 47 scheduled requests, 0 requests of its share are recorded"
        assert re.search(rf"ended with status 0 \(.*\) .* s into the load; {had}", worker["lost"])
    until(lambda: not left_running(tmp_path))


def test_a_load_does_not_wait_without_end_for_a_worker_to_be_ready(server, ask, tmp_path, unused_tcp_port):
    scenario = ask(SHORT, HOOKS + NEVER_READY)
    process = locusts_own(
        scenario, server, tmp_path / "out", unused_tcp_port, "--users", "2", "--spawn-rate", "2", "--scenario", scenario
    )
    _, said = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 2
    assert "expected all to become ready for the load within 2 s, found no word of [1, 2]; see whether" in said
    assert server.asked == 0
    until(lambda: not left_running(tmp_path))
