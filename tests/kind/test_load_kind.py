"""`seatrial load --in-cluster`: master and workers as pods, against a Service that counts what it is asked."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
import yaml

from seatrial.images import LOAD, own_recipes, take_in
from seatrial.loads.scenario import read_scenario
from seatrial.loads.schedule import due, windows
from seatrial.traffic.ledger_file import PREAMBLE_BYTES, LedgerFile
from seatrial.trials.context import RUN_LABEL
from seatrial.trials.pods import await_ready, namespace, pod
from seatrial.watch.api import Api
from seatrial.watch.exec import run_in_pod

pytestmark = [pytest.mark.kind, pytest.mark.timeout(600)]

WITHIN_S = 240.0
SERVER = """
import http.server, threading
asked, counting = 0, threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        with counting:
            asked += self.path == "/ask"
            said = b'{"a": 1, "asked": %d}' % asked
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
COUNT = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/count').read().decode())"
LOCUST_FILE = """
from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.plan import Exchange

class Ask(OpenLoopUser):
    def exchanges(self):
        return [Exchange("ask", "GET", "/ask", expect={"a": 1})]
"""
SCENARIO = {
    "apiVersion": "seatrial/v1", "question": "Is every answer right?", "loadtest": "ask", "timeout_s": 10,
    "warmup": {"rate_rps": 10, "duration_s": 1},
    "stages": [
        {"name": "base", "rate_rps": 30, "duration_s": 4},
        {"name": "recorded", "trace": {"file": "../ask.csv"}, "duration_s": 2},
        {"name": "clients", "concurrency": 3, "duration_s": 1},
    ],
    "slos": {"error_ratio": 0},
}  # fmt: skip
LONG = {**SCENARIO, "stages": [{"name": "base", "rate_rps": 20, "duration_s": 20}]}


@pytest.fixture(scope="module")
def cluster(cluster):
    take_in(cluster, [LOAD], own_recipes())
    return cluster


@pytest.fixture(scope="module")
def api(cluster):
    return Api.connect(cluster.kubeconfig(), cluster.context)


@pytest.fixture
def service(cluster, api):
    """A namespace with a Service `web`; its name, and a function that reads the server's own counter."""
    name = f"seatrial-test-load-{os.urandom(2).hex()}"
    root = f"/api/v1/namespaces/{name}"
    api.create("/api/v1/namespaces", namespace(name, RUN_LABEL, "test-load"))
    served = {
        "command": ["python", "-c", SERVER],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    api.create(f"{root}/pods", pod(LOAD, "web", "web", "100m", served))
    api.create(
        f"{root}/services",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )
    await_ready(api, name, ["web"], LOAD)

    def asked():
        return orjson.loads(run_in_pod(cluster, name, "web", "web", ["python", "-c", COUNT]))["asked"]

    yield f"http://web.{name}", asked
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def started(tmp_path):
    """Start `seatrial load --in-cluster` with three workers, as a user does; its process and the folder of its run."""
    (tmp_path / "load").mkdir()
    (tmp_path / "ask.csv").write_text("timestamp\n" + "".join(f"{number / 10}\n" for number in range(25)))
    (tmp_path / "load" / "ask.py").write_text(LOCUST_FILE)

    def start(scenario, host):
        file = tmp_path / "load" / "ask.yaml"
        file.write_text(yaml.safe_dump(scenario))
        command = [
            sys.executable, "-m", "seatrial.cli.main", "load", str(file), "--in-cluster", "--cluster", "kind",
            "--workers", "3", "--host", host, "--out", str(tmp_path / "out"),
        ]  # fmt: skip
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # A test run in the background may ignore Ctrl-C, and its children with it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip

    return start, tmp_path / "out", tmp_path / "load" / "ask.yaml"


def until(holds, process=None):
    deadline_s = time.monotonic() + WITHIN_S
    while not holds():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.1)


def sending(out, process):
    """All workers' first rows are here."""
    until(
        lambda: all(_size(out / f"worker-{number}" / "ledger.chunks") > PREAMBLE_BYTES for number in (1, 2, 3)), process
    )


def _size(file: Path):
    return file.stat().st_size if file.exists() else 0


def ledger_in(folder):
    with LedgerFile(folder / "ledger.chunks") as kept:
        return kept.ledger(), kept.end


def pods_of(api, result):
    """The namespace and pods that a result names."""
    places = [worker["name"].removeprefix("pod ").split("/") for worker in result["workers"]]
    assert len({place[0] for place in places}) == 1
    return places[0][0], [place[1] for place in places]


def gone(api, name):
    return lambda: api.find(f"/api/v1/namespaces/{name}") is None


def test_the_sum_of_three_pods_ledgers_is_what_the_server_counted(service, started, api):
    (host, asked), (start, out, scenario) = service, started
    process = start(SCENARIO, host)
    said, told = process.communicate(timeout=WITHIN_S)
    result = orjson.loads((out / "result.json").read_bytes())
    parts = [ledger_in(out / f"worker-{number}")[0] for number in (1, 2, 3)]
    whole, end = ledger_in(out)
    assert sum(map(len, parts)) == len(whole) == asked() == result["generator"]["sent"], told
    assert end == "whole"
    start_s = orjson.loads((out / "master.json").read_bytes())["start_s"]
    for window in list(windows(read_scenario(scenario), start_s))[:3]:
        assert abs(whole.of(window.name).scheduled_s - due(window)).max() < 1e-6
    assert whole.right.all()
    # Whether the generators kept up depends on the machine that runs this test.
    assert all("fell behind" in reason for reason in result["invalid"]), result["invalid"]
    assert process.returncode == (2 if result["invalid"] else 0), (said, told)
    name, pods = pods_of(api, result)
    assert pods == ["worker-1", "worker-2", "worker-3"]
    until(gone(api, name))


def test_a_pod_that_is_killed_is_named_and_the_others_go_on_to_the_end(service, started, api):
    (host, asked), (start, out, _) = service, started
    process = start(LONG, host)
    sending(out, process)
    (name,) = loads(api)
    api.delete(f"/api/v1/namespaces/{name}/pods/worker-2", gracePeriodSeconds="0")
    said, told = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 2, (said, told)
    result = orjson.loads((out / "result.json").read_bytes())
    (lost,) = [worker for worker in result["workers"] if worker["lost"]]
    alive = [worker for worker in result["workers"] if not worker["lost"]]
    assert lost["number"] == 2
    assert result["invalid"][0] == lost["lost"]
    assert f"worker 2 of 3 (pod {name}/worker-2) was cut off from us (the pod was deleted)" in lost["lost"]
    assert f"INVALID   {lost['lost']}" in said
    assert all(worker["recorded"] == worker["requests"] for worker in alive)
    assert 0 < lost["recorded"] < lost["requests"]
    assert len(ledger_in(out)[0]) == sum(worker["recorded"] for worker in result["workers"]) <= asked()
    until(gone(api, name))


def loads(api):
    """The namespaces that loads have on the cluster."""
    names = [item["metadata"]["name"] for item in api.get("/api/v1/namespaces", labelSelector=RUN_LABEL)["items"]]
    return [name for name in names if name.startswith("seatrial-load-")]


def stands(asked):
    """Nothing is sent any more: at 20 requests/s, some would have come."""
    before = asked()
    time.sleep(3)
    return asked() == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_load_goes_on_no_longer_than_the_command_that_asked_for_it(service, started, api, how):
    (host, asked), (start, out, _) = service, started
    process = start(LONG, host)
    sending(out, process)
    process.send_signal(how)
    said, told = process.communicate(timeout=WITHIN_S)
    assert process.returncode == {signal.SIGINT: 2, signal.SIGTERM: 143, signal.SIGKILL: -9}[how], (said, told)
    if how == signal.SIGINT:
        assert "the run was stopped before its last request was due" in said
        assert len(ledger_in(out)[0]) == asked() > 0
    if how == signal.SIGKILL:
        until(lambda: stands(asked))
        assert loads(api)
        subprocess.run([sys.executable, "-m", "seatrial.cli.main", "clean", "--cluster", "kind"], check=True)
    until(lambda: not loads(api))
    if how != signal.SIGKILL:  # which had the server cleaned away as well
        assert stands(asked)


def test_a_host_that_the_pods_do_not_reach_is_told_before_the_load(cluster, started, api):
    start, _, _ = started
    process = start(SCENARIO, "http://nobody.default:8080")
    _, told = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 2
    assert "http://nobody.default:8080: expected a service that accepts connections from pods" in told
    assert "Traceback" not in told
