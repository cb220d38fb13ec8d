"""What Locust itself offers goes on working with users whose requests the generator sends."""

import csv
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from seatrial.content import content
from seatrial.loads.locust_run import ledgers_in
from seatrial.traffic.ledger_file import LedgerFile

OPEN_LOOP = """
from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.plan import Exchange

class Ask(OpenLoopUser):
    rate_rps = 20

    def exchanges(self):
        return [Exchange("ask", "GET", "/ask", expect={"a": 1})]
"""
LOCUSTS_OWN = """
from locust import HttpUser, constant, task
from locust.exception import StopUser

class Own(HttpUser):
    wait_time = constant(0.05)
    left = 20

    @task
    def ask(self):
        if not self.left:  # the end of the run would cut off a request that the server has counted
            raise StopUser
        self.left -= 1
        self.client.get("/own")
"""
SHAPE = """
import csv
from pathlib import Path
from locust import LoadTestShape

class Climb(LoadTestShape):
    def tick(self):
        if not self.shown(1, 60):
            return (1, 10)
        return None if self.shown(4, 400) else (4, 10)

    def shown(self, users, requests):
        # In the history: so many requests while there were so many users.
        options = self.runner.environment.parsed_options
        with Path(f"{options.csv_prefix}_stats_history.csv").open(newline="") as opened:
            rows = [row for row in csv.DictReader(opened) if row["User Count"] == str(users)]
        return any(int(row["Total Request Count"] or 0) >= requests for row in rows)
"""
# Ends the run as --run-time does, when each of so many kinds of requests was reported twenty times.
ENOUGH = """
import gevent
from locust import events

@events.test_start.add_listener
def _(environment, **_):
    gevent.spawn(end_when_enough, environment)

def end_when_enough(environment):
    counts = []
    while len(counts) < {kinds} or min(counts) < 20:
        gevent.sleep(0.1)
        counts = [entry.num_requests for entry in environment.stats.entries.values()]
    environment.runner.quit()
"""
WITHIN_S = 100.0


class Text(HTMLParser):
    """The text of a page, and how many scripts it has."""

    def __init__(self, page):
        super().__init__()
        self.said, self.scripts = "", 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"

    def handle_data(self, data):
        self.said += data


@pytest.fixture
def locust(server, tmp_path):
    """Run Locust with these files, headless, to its end."""

    def run(files, *options):
        names = []
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
            names.append(str(tmp_path / f"{name}.py"))
        host = f"http://127.0.0.1:{server.server_port}"
        return subprocess.run(
            [
                sys.executable, "-m", "locust", "-f", ",".join(names), "--headless", "--host", host,
                "--seatrial-out", str(tmp_path / "out"), *options,
            ],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WITHIN_S, check=False,
        )  # fmt: skip

    return run


def rows_of(file):
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def due_s(file):
    with LedgerFile(file) as kept:
        return kept.ledger().scheduled_s


def rate_rps(times_s, from_s, to_s):
    return ((times_s >= from_s) & (times_s < to_s)).sum() / (to_s - from_s)


def test_csv_files_and_the_html_report_have_every_request(server, locust, tmp_path):
    report = tmp_path / "report.html"
    done = locust(
        {"ask": OPEN_LOOP + ENOUGH.format(kinds=1)}, "--users", "2", "--spawn-rate", "2",
        "--csv", str(tmp_path / "run"), "--html", str(report),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ask, total = rows_of(tmp_path / "run_stats.csv")
    assert (ask["Type"], ask["Name"], ask["Failure Count"]) == ("GET", "/ask [Ask]", "0")
    assert int(ask["Request Count"]) == int(total["Request Count"]) == server.asked > 0
    assert float(ask["50%"]) >= 0
    assert not rows_of(tmp_path / "run_failures.csv")
    page = report.read_text()
    assert "/ask [Ask]" in page
    assert re.search(rf'"num_requests":\s*{server.asked}\b', page)
    assert Text(page).scripts


def test_a_load_shape_changes_the_rate(server, locust, tmp_path):
    done = locust({"ask": OPEN_LOOP, "climb": SHAPE}, "--csv", str(tmp_path / "run"), "--csv-full-history")
    assert done.returncode == 0, done.stderr
    users = [int(row["User Count"]) for row in rows_of(tmp_path / "run_stats_history.csv")]
    assert {1, 4} <= set(users)
    assert int(rows_of(tmp_path / "run_stats.csv")[-1]["Request Count"]) == server.asked
    # 20 requests/s for each user; half too many or too few of 60 arrivals is almost four standard deviations off.
    first, *others = sorted((due_s(file) for file in ledgers_in(tmp_path / "out")), key=min)
    assert rate_rps(first, min(first), min(map(min, others))) == pytest.approx(20, rel=0.5)
    all_from_s, all_to_s = max(map(min, others)), min(map(max, (first, *others)))
    assert rate_rps(np.concatenate([first, *others]), all_from_s, all_to_s) == pytest.approx(80, rel=0.5)


def test_the_shape_that_comes_along_is_one(server, locust):
    steps = (
        (content("loadtests") / "steps.py")
        .read_text()
        .replace("step_s, most_users = 30, 10", "step_s, most_users = 1, 2")
    )
    by_requests = "\nSteps.get_run_time = lambda shape: shape.runner.stats.total.num_requests / 20\n"
    done = locust({"ask": OPEN_LOOP, "steps": steps + by_requests})
    assert done.returncode == 0, done.stderr
    assert server.asked >= 40


def test_locusts_own_users_still_run_beside_ours(server, locust, tmp_path):
    done = locust(
        {"own": LOCUSTS_OWN, "ask": OPEN_LOOP + ENOUGH.format(kinds=2)}, "--users", "2", "--spawn-rate", "2",
        "--csv", str(tmp_path / "run"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = {row["Name"]: int(row["Request Count"]) for row in rows_of(tmp_path / "run_stats.csv")}
    assert counts["/own"] > 0
    assert counts["/ask [Ask]"] > 0
    assert counts["Aggregated"] == server.asked


def test_a_scenario_that_is_not_there_is_said_in_a_line(locust):
    done = locust({"ask": OPEN_LOOP}, "--users", "1", "--run-time", "2s", "--scenario", "nowhere.yaml")
    assert done.returncode == 2
    assert "nowhere.yaml: expected a scenario, found" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
