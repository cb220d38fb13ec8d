"""A load says where it is: which stage, how far, and how many of its requests have ended."""

import os

import pytest
import yaml

from seatrial.ledger import ledger
from seatrial.loads.scenario import read_scenario
from seatrial.loads.underway import Underway
from seatrial.traffic.ledger_writer import write
from tests.helpers.ledgers import chunks

SCENARIO = {
    "apiVersion": "seatrial/v1",
    "question": "?",
    "loadtest": "ask",
    "warmup": {"rate_rps": 1, "duration_s": 5},
    "stages": [{"name": "half", "rate_rps": 1, "duration_s": 30}, {"name": "full", "rate_rps": 2, "duration_s": 20}],
}


@pytest.fixture
def said():
    return []


@pytest.fixture
def at(tmp_path, said):
    """Looks at a time; what is said then."""
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(SCENARIO))
    now = [0.0]
    underway = Underway(read_scenario(tmp_path / "s.yaml"), tmp_path / "run", said.append, lambda: now[0])
    (tmp_path / "run").mkdir()

    def look(now_s):
        before = len(said)
        now[0] = now_s
        underway.look()
        return said[before:]

    return look


def rows(file, count):
    file.parent.mkdir(exist_ok=True)
    rows = ledger([{"load": "half", "scheduled_s": n, "ended_s": n + 1.0} for n in range(count)])
    write(file, chunks(rows), count)
    return file.read_bytes()


def test_every_ten_seconds_from_the_first_request_on(tmp_path, at):
    assert at(50.0) == []
    file = tmp_path / "run" / "ledger.chunks"
    whole = rows(file, 5000)
    os.truncate(file, len(whole) - 8)  # the second of its chunks is being written
    assert [at(100.0), at(109.9)] == [[], []]
    assert at(110.0) == ["half: 5 of 30 s; 10 of 55 s in all, 4096 requests ended"]
    assert at(119.0) == []
    file.write_bytes(whole)
    assert at(140.0) == ["full: 5 of 20 s; 40 of 55 s in all, 5000 requests ended"]
    assert at(156.0) == ["all 55 s are over, 5000 requests ended; waiting for the last answers"]


def test_a_ledger_without_a_whole_chunk_has_no_requests(tmp_path, at):
    rows(tmp_path / "run" / "ledger.chunks", 1)
    at(100.0)
    os.truncate(tmp_path / "run" / "ledger.chunks", 4100)  # its only chunk is being written
    at(103.0)
    assert at(110.0) == ["half: 5 of 30 s; 10 of 55 s in all, 0 requests ended"]


def test_the_requests_of_all_workers_count(tmp_path, at):
    for number, count in ((1, 4), (2, 5)):
        rows(tmp_path / "run" / f"worker-{number}" / "ledger.chunks", count)
    at(100.0)
    assert at(111.0) == ["half: 6 of 30 s; 11 of 55 s in all, 9 requests ended"]
