"""Locust's page, over its own endpoints: a run is started, watched, given another rate, stopped, and started again."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import numpy as np
import orjson
import pytest
import yaml

from seatrial.loads.locust_run import ledgers_in
from tests.helpers.ledgers import whole_of

LOCUST_FILE = """
from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.plan import Exchange

class Ask(OpenLoopUser):
    rate_rps = 20

    def exchanges(self):
        return [Exchange("ask", "GET", "/ask", expect={"a": 1})]
"""
WINDOW_S = 2.0
WITHIN_S = 100.0


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with self.server.counting:
                self.server.asked += 1
            time.sleep(self.server.takes_s)
            self.send_response(200)
            self.send_header("content-length", "8")
            self.end_headers()
            self.wfile.write(self.server.answer)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 1000

    server = Server(("127.0.0.1", 0), Handler)
    server.asked, server.answer, server.takes_s = 0, b'{"a": 1}', 0.2
    server.counting = threading.Lock()
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()


class Page:
    """The page of one Locust, as a browser asks it."""

    def __init__(self, url):
        self._http = httpx.Client(base_url=url, timeout=60.0, trust_env=False)

    def start(self, users, **more):
        return self._http.post("/swarm", data={"user_count": users, "spawn_rate": 10, **more}).json()

    def swarm(self, users, **more):
        found = self.start(users, **more)
        assert found["success"], found

    def stop(self):
        assert self._http.post("/stop").json()["success"]

    def get(self, path):
        return self._http.get(path).json()

    def until(self, what, path="/stats/requests", within_s=WITHIN_S):
        """What the page shows, once `what` holds of it."""
        deadline_s = time.monotonic() + within_s
        while True:
            with contextlib.suppress(httpx.TransportError):
                found = self.get(path)
                if what(found):
                    return found
                assert time.monotonic() < deadline_s, found
            assert time.monotonic() < deadline_s
            time.sleep(0.1)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def running(command, port, log):
    """This command, and the page that it serves."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *map(str, command)],
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            # A test run in the background may ignore Ctrl-C, and its children with it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        page = Page(f"http://127.0.0.1:{port}")
        try:
            page.until(lambda found: "state" in found)
            yield page
        finally:
            # As Ctrl-C does: everything that was started from here hears of it.
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(60)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def page(server, tmp_path, request):
    """Plain `locust -f`; a test may bring another file as the fixture's parameter."""
    (tmp_path / "ask.py").write_text(getattr(request, "param", LOCUST_FILE))
    port, log = free_port(), tmp_path / "locust.txt"
    options = ["--host", server.url, "--web-host", "127.0.0.1", "--web-port", port]
    with running(["locust", "-f", tmp_path / "ask.py", *options], port, log) as page:
        yield page


def entry(found):
    """The one row of the table above the sum."""
    one, total = found["stats"]
    assert (total["name"], total["num_requests"]) == ("Aggregated", one["num_requests"])
    return one


def asked_within(server, duration_s):
    before = server.asked
    time.sleep(duration_s)
    return server.asked - before


def test_a_run_is_started_watched_changed_in_its_rate_and_stopped_and_every_request_is_reported(page, server):
    page.swarm(1)
    page.until(lambda found: found["state"] == "running" and server.asked > 10)
    slow = asked_within(server, WINDOW_S)
    page.swarm(4)
    page.until(lambda found: found["user_count"] == 4)
    time.sleep(1.0)
    fast = asked_within(server, WINDOW_S)
    page.swarm(1)
    page.until(lambda found: found["user_count"] == 1)
    slow_again = asked_within(server, WINDOW_S)
    watched = page.get("/stats/requests")
    page.stop()
    sent = server.asked
    assert fast > 2 * max(slow, slow_again) > 0
    assert 0 < entry(watched)["num_requests"] <= sent
    assert watched["current_rps"] > 0

    shown = page.until(lambda found: found["state"] == "stopped" and entry(found)["num_requests"] == sent)
    assert server.asked == sent  # nothing more came after the stop
    assert (entry(shown)["method"], entry(shown)["name"]) == ("GET", "/ask [Ask]")
    assert entry(shown)["min_response_time"] >= server.takes_s * 1e3  # milliseconds
    assert (entry(shown)["num_failures"], shown["errors"], shown["fail_ratio"]) == (0, [], 0.0)


def test_what_users_sent_that_have_left_is_reported_while_the_others_go_on(page, server):
    server.takes_s = 1.0
    page.swarm(5)
    page.until(lambda found: found["user_count"] == 5 and server.asked > 50)
    page.swarm(0)
    page.until(lambda found: found["user_count"] == 0)
    shown = page.until(lambda found: entry(found)["num_requests"] == server.asked)
    assert shown["state"] == "running"
    page.stop()


def test_a_user_goes_on_at_its_rate_from_one_window_to_the_next(server, tmp_path):
    windows = "from seatrial.loads import locust_user\nlocust_user._WINDOW_S = 1.0\n"
    (tmp_path / "ask.py").write_text(LOCUST_FILE + windows)
    port, out = free_port(), tmp_path / "out"
    options = ["--host", server.url, "--web-host", "127.0.0.1", "--web-port", port, "--seatrial-out", out]
    with running(["locust", "-f", tmp_path / "ask.py", *options], port, tmp_path / "locust.txt") as page:
        page.swarm(2)
        page.until(lambda found: server.asked > 400)
        page.stop()
        page.until(lambda found: found["state"] == "stopped" and entry(found)["num_requests"] == server.asked)
    due_s = np.sort(whole_of(ledgers_in(out)).scheduled_s)
    assert len(due_s) == server.asked
    # 2 users of 20/s each; of 400 Poisson arrivals a quarter too many or too few is five standard deviations off.
    assert (len(due_s) - 1) / np.ptp(due_s) == pytest.approx(40, rel=0.25)
    assert np.diff(due_s).max() < 0.5  # where a gap of two windows' edges would be; e^-20 by chance


def test_a_second_run_begins_with_nothing(page, server):
    page.swarm(1)
    page.until(lambda found: server.asked > 20)
    page.stop()
    before = server.asked
    page.swarm(1)
    page.until(lambda found: server.asked > before + 20)
    page.stop()
    page.until(lambda found: found["state"] == "stopped" and entry(found)["num_requests"] == server.asked - before)


HELD_UP = """
import time
from pathlib import Path
from seatrial.traffic.generator import Generator

tested, began = Generator.self_test, Path(__file__).with_name("began")

def only_the_second(generator):
    if began.exists():
        return tested(generator)
    began.touch()
    time.sleep(600)

Generator.self_test = only_the_second
"""


@pytest.mark.parametrize("page", [LOCUST_FILE + HELD_UP], indirect=True)
def test_a_stop_before_the_load_began_leaves_a_page_that_can_start(page, server, tmp_path):
    page.swarm(1)
    page.until(lambda found: (tmp_path / "began").exists())
    page.stop()
    assert server.asked == 0
    page.swarm(1)
    page.until(lambda found: server.asked > 5)
    page.stop()
    page.until(lambda found: found["state"] == "stopped" and entry(found)["num_requests"] == server.asked)


def test_failures_are_named_and_counted_with_the_time_of_the_first_and_the_last(page, server):
    server.answer = b'{"a": 2}'
    began_s = time.time()
    page.swarm(1)
    page.until(lambda found: server.asked > 20)
    page.stop()
    shown = page.until(lambda found: found["state"] == "stopped" and entry(found)["num_failures"] == server.asked)
    (error,) = shown["errors"]
    named = (error["method"], error["name"], error["error"], error["occurrences"])
    assert named == ("GET", "/ask [Ask]", "wrong answer", server.asked)
    assert began_s < error["first_seen"] < error["last_seen"] < time.time() + 1
    assert shown["fail_ratio"] == 1.0


@pytest.mark.parametrize(
    "page", [LOCUST_FILE.replace("return [", "raise ValueError('no cases today')\n        return [")], indirect=True
)
def test_a_locust_file_that_fails_is_told_on_the_page_which_stays(page, server):
    page.swarm(2)
    found = page.until(lambda found: found["exceptions"], "/exceptions")
    assert found["exceptions"][0]["msg"] == "no cases today"
    page.until(lambda found: found["state"] == "stopped")
    assert server.asked == 0


def test_a_host_that_cannot_be_found_is_told_on_the_page_and_a_better_one_can_be_given(page, server):
    page.swarm(1, host="http://no-such-host.invalid")
    found = page.until(lambda found: found["exceptions"], "/exceptions")
    assert "expected an address for no-such-host.invalid" in found["exceptions"][0]["msg"]
    page.until(lambda found: found["state"] == "stopped")
    page.swarm(1, host=server.url)
    page.until(lambda found: server.asked > 5)
    page.stop()


def test_a_scenario_is_carried_once_however_many_users_the_page_asks_for(server, tmp_path):
    (tmp_path / "ask.py").write_text(LOCUST_FILE)
    scenario = {
        "apiVersion": "seatrial/v1", "question": "Is every answer right?", "loadtest": "ask",
        "stages": [{"name": "base", "rate_rps": 20, "duration_s": 5}], "slos": {"error_ratio": 0},
    }  # fmt: skip
    (tmp_path / "ask.yaml").write_text(yaml.safe_dump(scenario))
    port, log, out = free_port(), tmp_path / "said.txt", tmp_path / "out"
    options = ["--host", server.url, "--web", "--web-port", port, "--out", out, "--json", "-q"]
    with running(["seatrial.cli.main", "load", tmp_path / "ask.yaml", *options], port, log) as page:
        page.until(lambda found: server.asked > 5)
        page.swarm(3)
        shown = page.until(lambda found: found["state"] == "stopped")
        assert entry(shown)["name"] == "/ask [base]"
        page.until(lambda found: entry(found)["num_requests"] == server.asked)
        # A second load would take the place of what the first one recorded.
        refused = page.start(1)
        assert not refused["success"]
        assert "Ctrl-C in the terminal ends this page and prints the result" in refused["message"]
    document = orjson.loads(log.read_bytes())
    ledger = whole_of(ledgers_in(out))
    assert len(ledger) == server.asked == document["generator"]["sent"] == document["stages"][0]["scheduled"]
    assert [answer["outcome"] for answer in document["answers"]] == ["held"]
