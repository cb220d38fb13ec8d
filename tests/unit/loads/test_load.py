"""`seatrial load`, with a real Locust and a real generator, against a server that counts."""

import shutil
from types import SimpleNamespace

import orjson
import pytest
import yaml
from click.testing import CliRunner

from seatrial.cli.load import load
from seatrial.errors import ClusterError, InputError, InvalidMeasurement, SeatrialError
from seatrial.traffic.ledger_file import WHOLE, LedgerFile

LOCUST_FILE = """
from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.plan import Exchange

class Ask(OpenLoopUser):
    def exchanges(self):
        return [Exchange("ask", "GET", "/ask", expect={"a": 1})]
"""
OF_LOCUST = """
import seatrial.loads.locust_user
from locust import HttpUser, task

class Ask(HttpUser):
    @task
    def ask(self):
        self.client.get("/ask")
"""
SCENARIO = {
    "apiVersion": "seatrial/v1", "question": "Is every answer right?", "loadtest": "ask",
    "warmup": {"rate_rps": 10, "duration_s": 0.5},
    "stages": [{"name": "base", "rate_rps": 40, "duration_s": 1}], "slos": {"error_ratio": 0},
}  # fmt: skip


@pytest.fixture
def scenario(tmp_path):
    (tmp_path / "ask.py").write_text(LOCUST_FILE)
    file = tmp_path / "ask.yaml"
    file.write_text(yaml.safe_dump(SCENARIO))
    return file


def run(*arguments):
    found = CliRunner().invoke(load, [str(argument) for argument in arguments], standalone_mode=False)
    if found.exception:
        raise found.exception
    return found.return_value, found.stdout


@pytest.mark.parametrize(("answer", "outcomes"), [(b'{"a": 1}', {"held"}), (b'{"a": 2}', {"missed"})])
def test_the_ledger_holds_every_request_and_the_objectives_follow_from_it(server, scenario, tmp_path, answer, outcomes):
    server.answer = answer
    out = tmp_path / "out"
    status, said = run(scenario, "--host", f"http://127.0.0.1:{server.server_port}", "--json", "-q", "--out", out)
    document = orjson.loads(said)
    with LedgerFile(out / "ledger.chunks") as kept:
        ledger = kept.ledger()
        assert kept.end == WHOLE
    assert len(ledger) == server.asked == document["generator"]["sent"]
    assert document["stages"][0]["scheduled"] == len(ledger.of("base")) > 10
    assert {found["outcome"] for found in document["answers"]} == outcomes
    # Whether the generator kept up depends on the machine that runs this test; the status follows either way.
    expected = "invalid" if document["invalid"] else outcomes.pop()
    assert document["outcome"] == expected
    assert status == {"held": 0, "missed": 1, "invalid": 2}[expected]
    assert f"{server.asked} " in (out / "locust.log").read_text()  # Locust's own count


def test_nothing_good_seen_is_never_held(server, scenario):
    scenario.write_text(yaml.safe_dump({**SCENARIO, "slos": {}}))
    server.status = 404
    status, said = run(scenario, "--host", f"http://127.0.0.1:{server.server_port}", "-q")
    assert status == 2
    assert "undecided no objectives: expected `slos`" in said
    assert "undecided base: expected good answers, found none among" in said
    assert "outcome   held" not in said


def test_a_service_that_is_not_there_is_told_before_any_load(scenario):
    with pytest.raises(ClusterError, match=r"http://127.0.0.1:1: expected a service that accepts connections"):
        run(scenario, "--host", "http://127.0.0.1:1")


def test_a_host_is_needed(scenario):
    with pytest.raises(InputError, match=r"ask.yaml, host: expected a URL"):
        run(scenario)


@pytest.mark.parametrize(
    ("locust_file", "said"),
    [
        (None, "loadtest: expected a Locust file, found neither"),
        ("import os\nraise ValueError('mine')", "ended in line 2 with ValueError: mine"),
        ("class Ask(:", "ended in line 1 with SyntaxError"),
        ("def nothing(): pass", "ask.py: expected a Locust file with a class of OpenLoopUser, found none"),
        (
            "import seatrial.loads.locust_user",
            "ask.py: expected a Locust file with a class of OpenLoopUser, found none",
        ),
        (OF_LOCUST, "expected a Locust file with a class of OpenLoopUser, found none"),
        (
            LOCUST_FILE.replace('[Exchange("ask", "GET", "/ask", expect={"a": 1})]', "[]"),
            "ended with InputError: picks",
        ),
        (
            f"{LOCUST_FILE}\n\nclass Other(Ask):\n    pass\n",
            "ended with InputError: --scenario: expected a Locust file with one class of users, .* found Ask, Other",
        ),
    ],
    ids=["missing", "broken", "no Python", "no import", "no user", "users of Locust", "empty", "two classes"],
)
def test_a_locust_file_that_cannot_be_used_is_named(server, scenario, locust_file, said):
    (scenario.parent / "ask.py").unlink()
    if locust_file is not None:
        (scenario.parent / "ask.py").write_text(locust_file)
    with pytest.raises(InputError, match=said):
        run(scenario, "--host", f"http://127.0.0.1:{server.server_port}", "-q")


def test_a_disk_without_any_room_is_told_before_any_load(server, scenario, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=4096))
    with pytest.raises(InvalidMeasurement, match=r"out: expected room for the ledger, found 4096 bytes; free room"):
        run(scenario, "--host", f"http://127.0.0.1:{server.server_port}", "-q", "--out", tmp_path / "out")
    assert server.asked == 0


def test_a_disk_that_is_full_is_named_and_what_was_recorded_can_be_read(server, scenario, tmp_path, files_up_to):
    out = tmp_path / "out"
    with files_up_to(8192), pytest.raises(InvalidMeasurement, match=r"ledger.chunks: expected room .*File too large"):
        run(scenario, "--host", f"http://127.0.0.1:{server.server_port}", "-q", "--out", out)
    assert InvalidMeasurement.exit_code == 2
    with LedgerFile(out / "ledger.chunks") as kept:
        assert "expected room for the ledger" in kept.end
        assert len(kept.ledger()) == len(kept) < server.asked


def test_a_result_without_room_is_told_after_it_was_printed(server, scenario, tmp_path):
    (tmp_path / "out" / "result.json").mkdir(parents=True)  # nothing can be written there
    with pytest.raises(
        SeatrialError, match=r"result.json: expected room for the record of the run, found Is a directory"
    ):
        run(scenario, "--host", f"http://127.0.0.1:{server.server_port}", "-q", "--out", tmp_path / "out")
    assert SeatrialError.exit_code == 2
