"""Locust behind relays, as in pods: processes of this machine, on clocks of their own, each writing elsewhere."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
import yaml

from seatrial.errors import ClusterError, InputError
from seatrial.loads.bundle import bundle
from seatrial.loads.locust_run import worker_folder
from seatrial.loads.pod_process import PodProcess
from seatrial.loads.scenario import read_scenario
from seatrial.loads.schedule import due, windows
from seatrial.loads.workers import run_workers, worker_options
from seatrial.traffic.channel import ProcessChannel
from seatrial.traffic.ledger_file import PREAMBLE_BYTES, LedgerFile
from tests.helpers.ledgers import whole_of

# Every worker has a machine of its own: a kernel that nobody else has, and a clock that is far from the master's.
LOCUST_FILE = """
import os, sys, time
from seatrial.loads import locust_master, locust_worker
from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.plan import Exchange

if "--worker" in sys.argv:
    locust_worker.kernel = lambda: f"kernel {os.getpid()}"
    true, apart_s = time.monotonic, 1000.0 * int(sys.argv[sys.argv.index("--seatrial-worker") + 1])
    time.monotonic = lambda: true() + apart_s

if "--master" in sys.argv:
    locust_master._UNHEARD_S = 6.0  # on other machines nothing else tells that a worker is gone

class Ask(OpenLoopUser):
    def exchanges(self):
        return [Exchange(os.environ["CASE"], "GET", "/ask", expect={"a": 1})]
"""
SCENARIO = {
    "apiVersion": "seatrial/v1", "question": "Is every answer right?", "loadtest": "ask", "timeout_s": 5,
    "stages": [{"name": "base", "rate_rps": 40, "duration_s": 2}, {"name": "clients", "concurrency": 2,
                                                                     "duration_s": 0.5}],
    "slos": {"error_ratio": 0},
}  # fmt: skip
LONG = {**SCENARIO, "stages": [{"name": "base", "rate_rps": 20, "duration_s": 8}]}
WITHIN_S = 100.0


class Elsewhere:
    """A site whose processes are behind relays; `there` is where they write, and `folder` where that has to come."""

    def __init__(self, locust_file, scenario_file, there, folder):
        self.there, self.folder = there, folder
        self.bundle = bundle(locust_file, scenario_file, read_scenario(scenario_file), str(there))
        self.channels = {}

    def master(self, *options):
        bound = ("--master-bind-host", "127.0.0.1", "--master-bind-port", "0")
        return self.started(0, self.folder, self.there / "out", ["--master", *bound, *options])

    def worker(self, number, port):
        its = worker_folder(self.there / "out", number)
        return self.started(number, worker_folder(self.folder, number), its, worker_options(number, "127.0.0.1", port))

    def started(self, number, here, there, options):
        self.channels[number] = ProcessChannel(module="seatrial.loads.relay")
        start = {
            "locust_file": self.bundle.locust_file, "scenario": self.bundle.scenario, "folder": str(there),
            "out": str(self.there / "out"), "options": options, "environment": {"CASE": "handed on"},
        }  # fmt: skip
        return PodProcess(self.channels[number], f"pod {number}", here, self.bundle.files, start, lambda: "")


@pytest.fixture
def carried_out(server, tmp_path):
    """Carry a scenario out with two workers; `meanwhile(site)` runs beside it."""

    def go(scenario=SCENARIO, locust_file=LOCUST_FILE, meanwhile=None):
        here = tmp_path / "here"
        here.mkdir()
        (here / "ask.py").write_text(locust_file)
        (here / "ask.yaml").write_text(yaml.safe_dump(scenario))
        site = Elsewhere(here / "ask.py", here / "ask.yaml", tmp_path / "there", tmp_path / "out")
        if meanwhile is not None:
            threading.Thread(target=meanwhile, args=(site,), daemon=True).start()
        try:
            return run_workers(
                2, site, here / "ask.py", read_scenario(here / "ask.yaml"), f"http://127.0.0.1:{server.server_port}",
                tmp_path / "out", ["--headless", "--only-summary"], lambda: None,
            )  # fmt: skip
        finally:
            for channel in site.channels.values():
                channel.close()

    return go


def until(holds):
    deadline_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.05)


def sending(folder):
    """The first rows of both workers are here."""
    ledgers = [folder / f"worker-{number}" / "ledger.chunks" for number in (1, 2)]
    return all(file.exists() and file.stat().st_size > PREAMBLE_BYTES for file in ledgers)


def files_below(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_workers_on_clocks_of_their_own_send_one_schedule_and_their_records_come_byte_for_byte(
    server, carried_out, tmp_path
):
    recorded = carried_out()
    assert not recorded.lost
    ledger = whole_of(recorded.ledgers)
    assert len(ledger) == server.asked == recorded.health.sent
    assert set(ledger.texts("case")) == {"handed on"}
    # Each of them began when the master's clock said, not an hour before or after.
    assert recorded.health.start_lag_max_s < 60
    assert np.nanmin(ledger.sent_s - ledger.scheduled_s) >= 0
    assert recorded.health.clock_bound_s > 0
    (base, _) = windows(read_scenario(tmp_path / "here" / "ask.yaml"), recorded.start_s)
    np.testing.assert_allclose(ledger.of("base").scheduled_s, due(base), rtol=0, atol=1e-6)
    told = orjson.loads((tmp_path / "out" / "master.json").read_bytes())
    assert sorted(worker["number"] for worker in told["workers"]) == [1, 2]
    here, there = files_below(tmp_path / "out"), files_below(tmp_path / "there" / "out")
    assert here.pop("ledger.chunks")  # of both together
    assert here == there
    for number in (1, 2):
        with LedgerFile(tmp_path / "out" / f"worker-{number}" / "ledger.chunks") as kept:
            assert (kept.end, len(kept)) == ("whole", recorded.workers[number - 1].recorded)


def test_a_relay_that_is_killed_with_its_locust_is_named_and_its_rows_until_then_are_here(
    server, carried_out, tmp_path
):
    def kill_the_second(site):
        until(lambda: sending(tmp_path / "out"))
        site.channels[2]._process.kill()

    recorded = carried_out(LONG, meanwhile=kill_the_second)
    first, second = recorded.workers
    assert recorded.lost == (second.lost,)
    assert second.lost.startswith("worker 2 of 2 (pod 2) was cut off from us (its process ended with status -9: )")
    assert (first.recorded, first.lost) == (first.requests, "")
    assert 0 < second.recorded < second.requests
    assert len(whole_of(recorded.ledgers)) == first.recorded + second.recorded <= server.asked


def test_a_load_elsewhere_ends_when_nobody_is_there_to_hear_of_it(server, carried_out, tmp_path):
    """The channels close, as when `seatrial load` is killed: Locust and its generators end with their relays."""
    ended = []

    def hang_up(site):
        until(lambda: sending(tmp_path / "out"))
        for channel in site.channels.values():
            channel._process.stdin.close()
        until(lambda: all(channel._process.poll() is not None for channel in site.channels.values()))
        ended.append(server.asked)

    recorded = carried_out(LONG, meanwhile=hang_up)
    until(lambda: ended)
    assert len(recorded.lost) >= 1
    assert server.asked == ended[0]


@pytest.mark.parametrize(
    ("locust_file", "said"),
    [
        (
            f"{LOCUST_FILE}\nif '--worker' in sys.argv: raise ValueError('mine')\n",
            r"worker \d of 2 \(pod \d\) ended in line \d+ with",
        ),
        (
            "raise ValueError('all')\n",
            r"expected a Locust file that can be carried out, found that Locust's master ended",
        ),
    ],
    ids=["a worker", "the master"],
)
def test_last_words_come_from_there(server, carried_out, locust_file, said):
    with pytest.raises(InputError, match=f"{said}.*ValueError: (mine|all)"):
        carried_out(locust_file=locust_file)
    assert server.asked == 0


def started(tmp_path, **start):
    channel = ProcessChannel(module="seatrial.loads.relay")
    given = {"locust_file": "a.py", "scenario": "a.yaml", "folder": str(tmp_path / "there"), "out": "", "options": []}
    given["environment"] = {}
    (tmp_path / "here").mkdir()
    return PodProcess(channel, "pod", tmp_path / "here", {}, {**given, **start}, lambda: "the pod was deleted"), channel


def test_what_cannot_be_started_is_told_as_its_last_words(tmp_path):
    (tmp_path / "file").write_text("")
    process, channel = started(tmp_path, folder=str(tmp_path / "file" / "folder"))
    assert process.wait(WITHIN_S) == 1
    assert process.fate() == "ended with status 1"
    assert "Not a directory" in (tmp_path / "here" / "failure.txt").read_text()
    channel.close()


def test_signals_reach_locust_and_a_killed_one_is_told_by_its_signal(tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(600)\n")
    process, channel = started(tmp_path, locust_file=str(tmp_path / "slow.py"))
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    until(lambda: (tmp_path / "here" / "locust.log").exists())
    process.terminate()
    assert process.wait(WITHIN_S) == -signal.SIGTERM
    assert process.fate() == "was killed by signal 15 (SIGTERM)"
    channel.close()


def test_what_became_of_the_pod_is_told_where_it_is_known(tmp_path):
    process, channel = started(tmp_path, locust_file=str(tmp_path / "slow.py"))
    os.kill(channel._process.pid, signal.SIGKILL)
    assert process.wait(WITHIN_S) == -signal.SIGKILL
    assert process.fate() == "was cut off from us (the pod was deleted)"
    process.terminate()  # nobody is there: no error
    channel.close()


class Broken:
    """A channel that takes messages and is never heard of."""

    def open(self, on_line, on_closed): ...

    def send(self, lines):
        raise ClusterError("the connection is closed")

    def close(self): ...


def test_a_channel_that_takes_nothing_is_an_error_of_the_cluster(tmp_path):
    with pytest.raises(ClusterError, match="the connection is closed"):
        PodProcess(Broken(), "pod", tmp_path, {}, {}, lambda: "")


def test_files_keep_their_places_for_one_another(tmp_path):
    scenario = tmp_path / "a" / "load" / "ask.yaml"
    scenario.parent.mkdir(parents=True)
    (tmp_path / "a" / "old.csv").write_text("timestamp\n0\n1\n2\n")
    stages = [{"name": "base", "trace": {"file": "../old.csv"}, "duration_s": 1}]
    scenario.write_text(yaml.safe_dump({**SCENARIO, "stages": stages}))
    brought = bundle(Path("loadtests/ask.py"), scenario, read_scenario(scenario), "/there")
    assert brought.scenario == "/there/above/load/ask.yaml"
    assert brought.locust_file == "/there/above/load/ask.py"
    assert {there: here.name for there, here in brought.files.items()} == {
        "/there/above/load/ask.yaml": "ask.yaml",
        "/there/above/load/ask.py": "ask.py",
        "/there/above/old.csv": "old.csv",
    }
    root = tmp_path / "copied"
    for there, here in bundle(scenario.with_name("ask.py"), scenario, read_scenario(scenario), str(root)).files.items():
        if here.exists():
            Path(there).parent.mkdir(parents=True, exist_ok=True)
            Path(there).write_bytes(here.read_bytes())
    assert read_scenario(root / "above" / "load" / "ask.yaml").stages[0].trace.read().arrivals_s.tolist() == [0, 1, 2]


def test_a_trace_by_an_absolute_path_cannot_come_along(tmp_path):
    trace = tmp_path / "old.csv"
    trace.write_text("timestamp\n0\n1\n2\n")
    scenario = tmp_path / "load" / "ask.yaml"
    scenario.parent.mkdir()
    stages = [{"name": "base", "trace": {"file": str(trace)}, "duration_s": 1}]
    scenario.write_text(yaml.safe_dump({**SCENARIO, "stages": stages}))
    with pytest.raises(InputError, match=r"trace.file: expected a path from the scenario's folder, .* found .*old.csv"):
        bundle(Path("ask.py"), scenario, read_scenario(scenario), "/there")
