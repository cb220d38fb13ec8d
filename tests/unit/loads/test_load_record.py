"""`seatrial load` writes a record that is verified and reported like any other."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import orjson
import pytest
import yaml
from click.testing import CliRunner

from seatrial.cli.load import load
from seatrial.cli.report import report
from seatrial.cli.verify import verify
from seatrial.errors import InputError
from seatrial.loads.scenario import read_scenario
from seatrial.loads.stage_rows import opened
from seatrial.record import RecordWriter, RunHeader, RunRecord
from seatrial.record.loads import recorded_load, scenario_text
from seatrial.reporting.junit import junit_xml
from seatrial.reporting.model import read_report
from seatrial.reporting.pages import html_page, markdown_text
from seatrial.suite.load import MOST_OTHERS, clear_record, load_record
from seatrial.traffic.ledger_file import PREAMBLE_BYTES, LedgerFile
from tests.helpers.listeners import counting

LOCUST_FILE = """
from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.plan import Exchange

class Ask(OpenLoopUser):
    def exchanges(self):
        return [Exchange("ask", "GET", "/ask", expect={"a": 1})]
"""
SCENARIO = {
    "apiVersion": "seatrial/v1", "question": "Is every answer right?", "loadtest": "ask",
    "warmup": {"rate_rps": 10, "duration_s": 0.3},
    "stages": [
        {"name": "recorded", "trace": {"file": "t.csv"}, "duration_s": 0.9},
        {"name": "base", "rate_rps": 40, "duration_s": 1, "slos": {"latency_s": {"p50": 0.000001}}},
    ],
    "slos": {"error_ratio": 0},
}  # fmt: skip


def written(folder):
    """The scenario with its files."""
    (folder / "ask.py").write_text(LOCUST_FILE)
    (folder / "t.csv").write_text("timestamp\n" + "".join(f"{n * 0.05}\n" for n in range(20)))
    file = folder / "ask.yaml"
    file.write_text(yaml.safe_dump(SCENARIO))
    return file


@pytest.fixture
def scenario(tmp_path):
    return written(tmp_path)


def run(command, *arguments):
    found = CliRunner().invoke(command, [str(argument) for argument in arguments], standalone_mode=False)
    if found.exception:
        raise found.exception
    return found.return_value, found.output


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """A load that was carried out, only to be read: exit status, folder, what was printed, and who was asked."""
    folder = tmp_path_factory.mktemp("carried")
    with counting() as server:
        host = f"http://127.0.0.1:{server.server_port}"
        status, said = run(load, written(folder), "--host", host, "--runs", folder / "runs")
    (kept,) = (folder / "runs").iterdir()
    return SimpleNamespace(status=status, folder=kept, said=said, host=host)


@pytest.fixture
def folder(carried, tmp_path):
    """A copy of its record, to be changed."""
    return shutil.copytree(carried.folder, tmp_path / "copied")


def test_a_load_leaves_a_record_that_is_judged_again_and_reported(carried):
    record = RunRecord.open(carried.folder)
    assert carried.said.startswith(f"ask.yaml: 2.2 s of load on {carried.host}; record {carried.folder}\n")
    assert f"\nrecord    {carried.folder}" in carried.said
    assert (record.state.status, record.state.exit_status, record.damage()) == ("finished", carried.status, [])
    assert (record.header.kind, record.header.subject) == ("load", carried.host)
    kept = {"ledger.chunks", "scenario.yaml", "loadtest.py", "traces/1-t.csv", "result.json"}
    assert kept <= set(listed(carried.folder))
    assert [entry.id for entry in record.verdicts_in_order()] == ["load", "recorded.error_ratio", "base.latency_s.p50"]

    again, told = run(verify, carried.folder)
    assert again == carried.status
    assert "3 verdicts judged again as recorded, 0 otherwise; every file as it was recorded." in told

    # Whether the generator kept up depends on the machine that runs this test; the words follow either way.
    word = {1: "Missed", 2: "Invalid"}[carried.status]
    shown = read_report(record)
    assert shown.headline.word == word
    assert word in run(report, carried.folder)[1]
    assert [group for group, _ in shown.by_behaviour()] == ["load", "recorded", "base"]
    for text in (html_page(shown), markdown_text(shown)):
        assert "Is every answer right?" in text
        with opened(recorded_load(record).ledgers) as rows:
            assert f"recorded: {len(rows.of('recorded'))} requests in 0.9 s" in text
    suite = ElementTree.fromstring(junit_xml(shown)).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("name")) == ("3", f"seatrial {record.header.host}")


def listed(folder):
    return json.loads((folder / "manifest.json").read_bytes())["files"]


def test_the_result_has_the_form_that_it_had(carried):
    result = orjson.loads((carried.folder / "result.json").read_bytes())
    added = {"requests", "effective_n", "needed"}
    assert set(result["answers"][0]) == {"stage", "objective", "found", "outcome"} | added
    assert {"schema", "outcome", "scenario", "generator", "workers", "invalid", "stages", "arrivals"} <= set(result)


@pytest.mark.parametrize("file", ["ledger.chunks", "scenario.yaml", "traces/1-t.csv", "generator.json"])
def test_what_decides_an_objective_is_not_judged_once_it_was_changed(folder, file):
    data = bytearray((folder / file).read_bytes())
    data[-2] ^= 1
    (folder / file).write_bytes(data)
    status, told = run(verify, folder)
    assert status == 3
    assert f"damaged: {file}: expected" in told
    assert f"base.latency_s.p50: not judged again: its evidence no longer matches: {file}" in told
    assert read_report(RunRecord.open(folder)).headline.word == "Evidence damaged"


@pytest.mark.parametrize("option", ["--conformance", "--adapter"])
def test_what_only_checks_are_judged_with_is_refused(carried, option):
    with pytest.raises(InputError, match=f"{option}: expected a record of checks, found that of a load; leave it out"):
        run(verify, carried.folder, option, "x")


def test_a_rewritten_verdict_is_found(folder):
    lines = (folder / "verdicts.jsonl").read_text()
    (folder / "verdicts.jsonl").write_text(lines.replace('"found":"', '"found":"7 ', 1))
    status, told = run(verify, folder)
    assert status == 3
    assert "damaged: verdicts.jsonl" in told
    assert ": recorded as" in told


def test_a_folder_is_used_again_for_another_load(folder, server, scenario):
    before = RunRecord.open(folder).header.run_id
    run(load, scenario, "--host", f"http://127.0.0.1:{server.server_port}", "--out", folder, "-q")
    record = RunRecord.open(folder)
    assert record.header.run_id != before
    assert (record.damage(), record.state.status) == ([], "finished")


def test_files_that_were_in_the_folder_are_left_alone(server, scenario, tmp_path):
    out = tmp_path / "out"
    (out / "mine").mkdir(parents=True)
    (out / "mine" / "notes.txt").write_text("precious")
    (out / "ledger.chunks").write_bytes(b"of a load that left no record")
    for _ in range(2):
        run(load, scenario, "--host", f"http://127.0.0.1:{server.server_port}", "--out", out, "-q")
        assert (out / "mine" / "notes.txt").read_text() == "precious"
        assert RunRecord.open(out).damage() == []
        assert "mine/notes.txt" not in listed(out)
        assert "ledger.chunks" in listed(out)


@pytest.mark.parametrize("file", ["contract.yaml", "scenario.yaml", "traces/mine.csv"])
def test_a_file_that_the_record_would_replace_is_told_before_anything_is_sent(server, scenario, tmp_path, file):
    mine = tmp_path / "out" / file
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    with pytest.raises(InputError, match=f"found {file} in it, which is of no record and would be replaced"):
        run(load, scenario, "--host", f"http://127.0.0.1:{server.server_port}", "--out", tmp_path / "out", "-q")
    assert mine.read_text() == "precious"
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [mine]


def test_a_folder_with_too_much_in_it_is_refused_and_not_walked_to_its_end(scenario, tmp_path, monkeypatch):
    """A home folder, say, or a file system."""

    def endless(folder, pattern):
        yield from (folder / f"{number}.txt" for number in range(MOST_OTHERS + 1))
        raise AssertionError("walked on")

    out = tmp_path / "out"
    monkeypatch.setattr(Path, "rglob", endless)
    with pytest.raises(InputError, match=f"{out}: expected a folder for .*, found more than {MOST_OTHERS} files"):
        with load_record(out, "r", read_scenario(scenario), scenario, "http://127.0.0.1:9", "this machine"):
            raise AssertionError("it was taken")
    assert list(out.iterdir()) == []


def test_a_folder_with_as_much_in_it_as_may_be_is_taken(scenario, tmp_path, monkeypatch):
    monkeypatch.setattr("seatrial.suite.load.MOST_OTHERS", 2)
    out = tmp_path / "out"
    (out / "mine").mkdir(parents=True)
    (out / "mine" / "notes.txt").write_text("mine")
    with load_record(out, "r", read_scenario(scenario), scenario, "http://127.0.0.1:9", "this machine") as record:
        record.finish(0)
    assert RunRecord.open(out).header.others == ("mine/notes.txt",)


def test_the_record_of_another_run_is_left_alone(tmp_path):
    header = RunHeader("run-1", "2026-01-01T00:00:00+00:00", "0.1.0", "local", "preflight", "echo", "ab", "x: 1\n")
    RecordWriter.create(tmp_path, header)
    with pytest.raises(InputError, match="expected a folder for the record of a load, found the record of another run"):
        clear_record(tmp_path / "run-1")
    assert RunRecord.open(tmp_path / "run-1").damage() == []


def test_a_manifest_cannot_have_files_elsewhere_removed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("x")
    header = RunHeader("run-1", "2026-01-01T00:00:00+00:00", "0.1.0", "this machine", kind="load", scenario="x: 1\n")
    folder = RecordWriter.create(tmp_path, header).folder
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"verdicts.jsonl"', '"../precious"'))
    clear_record(folder)
    assert precious.exists()
    assert not (folder / "record.json").exists()


def test_the_scenario_is_kept_whole(scenario, tmp_path):
    kept = tmp_path / "record"
    (kept / "traces").mkdir(parents=True)
    (kept / "traces" / "1-t.csv").write_bytes((tmp_path / "t.csv").read_bytes())
    (kept / "scenario.yaml").write_text(scenario_text(read_scenario(scenario)))
    again, given = read_scenario(kept / "scenario.yaml"), read_scenario(scenario)
    assert again.stages[0].trace is not None
    assert again.stages[0].trace.file == str(kept / "traces" / "1-t.csv")
    assert again.model_dump(exclude={"stages": {0: {"trace"}}}) == given.model_dump(exclude={"stages": {0: {"trace"}}})


def test_a_load_that_does_not_come_to_its_end_says_why(server, scenario, tmp_path):
    (tmp_path / "ask.py").write_text("raise ValueError('mine')")
    with pytest.raises(InputError, match="ValueError: mine"):
        run(load, scenario, "--host", f"http://127.0.0.1:{server.server_port}", "--out", tmp_path / "out", "-q")
    record = RunRecord.open(tmp_path / "out")
    assert (record.state.status, record.state.exit_status, record.damage()) == ("refused", 3, [])
    assert "ValueError: mine" in record.state.reason
    assert read_report(record).headline.word == "Refused"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_load_that_is_cancelled_says_that_it_is_unfinished_and_where_its_record_is(
    server, scenario, tmp_path, as_json
):
    """Without --out, too."""
    long = {**SCENARIO, "stages": [{"name": "base", "rate_rps": 40, "duration_s": 60}]}
    scenario.write_text(yaml.safe_dump(long))
    runs = tmp_path / "runs"
    process = subprocess.Popen([
        sys.executable, "-m", "seatrial.cli.main", "load", str(scenario), "-q", "--runs", str(runs),
        "--host", f"http://127.0.0.1:{server.server_port}", *(["--json"] if as_json else []),
    ], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    deadline_s = time.monotonic() + 60
    while not any(file.stat().st_size > PREAMBLE_BYTES for file in runs.glob("*/ledger.chunks")):
        assert time.monotonic() < deadline_s, "waited in vain"
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said, told = process.communicate(timeout=60)
    (folder,) = runs.iterdir()
    assert (process.returncode, told) == (143, "seatrial: stopped by SIGTERM\n")
    if as_json:
        document = json.loads(said)
        assert (document["outcome"], document["reason"]) == ("unfinished", "stopped by SIGTERM")
        assert document["record"] == str(folder)
    else:
        assert said.startswith("outcome   unfinished: stopped by SIGTERM. Requests recorded so far: ")
        assert said.endswith(f"record    {folder}\n")
    record = RunRecord.open(folder)
    assert (record.state.status, record.state.reason, record.damage()) == ("interrupted", "stopped by SIGTERM", [])
    assert "ledger.chunks" in listed(folder)
    assert run(verify, folder)[0] == 2
    suite = ElementTree.fromstring(junit_xml(read_report(record))).find("testsuite")
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


def test_a_killed_load_leaves_a_record_that_can_be_read(server, scenario, tmp_path):
    long = {**SCENARIO, "stages": [{"name": "base", "rate_rps": 40, "duration_s": 60}]}
    scenario.write_text(yaml.safe_dump(long))
    out = tmp_path / "out"
    process = subprocess.Popen([
        sys.executable, "-m", "seatrial.cli.main", "load", str(scenario), "-q", "--out", str(out),
        "--host", f"http://127.0.0.1:{server.server_port}",
    ])  # fmt: skip
    deadline_s = time.monotonic() + 60
    ledger = out / "ledger.chunks"
    while not (ledger.exists() and ledger.stat().st_size > PREAMBLE_BYTES):
        assert time.monotonic() < deadline_s, "waited in vain"
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with LedgerFile(ledger) as kept:
        assert len(kept) > 0
    record = RunRecord.open(out)
    assert (record.state.status, record.damage()) == ("running", [])
    assert record.loose_ends()[0].file == "end.json"
    shown = read_report(record)
    assert shown.headline.word == "Unfinished"
    assert re.search(r"Requests recorded so far: [1-9]\d*, in ledger\.chunks", shown.headline.sentence)
    html_page(shown)
    status, told = run(verify, out)
    assert status == 2
    assert "note: end.json: not there yet" in told
