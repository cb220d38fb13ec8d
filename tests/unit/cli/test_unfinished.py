"""The page and the document that a run was asked for are about this run, whatever it ends with."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from seatrial.cli._reports import page_of_run, result_of_run, write_report
from seatrial.cli.faults import _write
from seatrial.errors import ClusterError, InputError, why_stopped
from seatrial.record import Asked, RecordWriter, RunHeader, RunRecord
from seatrial.verdict import passed

YESTERDAY = "<h1>Preflight passed</h1>"
ASKED = tuple(Asked(id, "MUST", "A title.", f"name_{id}", source="drain/a.py") for id in ("X1", "X2"))


@pytest.fixture
def page(tmp_path):
    file = tmp_path / "report.html"
    file.write_text(YESTERDAY)
    return file


def begin(tmp_path):
    header = RunHeader(
        "run-1", "2026-01-01T00:00:00+00:00", "0.1.0", "local", "preflight", "echo", "ab", "name: echo\n", checks=ASKED
    )
    record = RecordWriter.create(tmp_path, header)
    record.add_verdict("X1", "MUST", "A title.", passed("a", "b", n=1), [])
    return record


def test_a_page_of_yesterday_is_gone_when_a_run_begins_and_it_is_said_where_todays_is(page, tmp_path, capsys):
    with page_of_run(page, tmp_path / "chart", tmp_path / "run-1"):
        assert "Preflight passed" not in page.read_text()
        assert "</span> Unfinished</h1>" in page.read_text()
        begin(tmp_path).finish(0)
    assert "X1" in page.read_text()
    assert capsys.readouterr().err == f"wrote {page}\n"


@pytest.mark.parametrize(
    ("stop", "word", "said"),
    [
        (KeyboardInterrupt(), "Unfinished", "The run did not come to its end: stopped by Ctrl-C."),
        (ClusterError("no node"), "Unfinished", "The run did not come to its end: no node."),
        (InputError("c.yaml: expected a name"), "Refused", "c.yaml: expected a name."),
    ],
)
@pytest.mark.parametrize("recorded", [True, False])
def test_the_page_of_a_run_that_is_stopped_says_so(page, tmp_path, stop, word, said, recorded):
    def run():
        with page_of_run(page, tmp_path / "chart", tmp_path / "run-1"):
            if recorded:
                record = begin(tmp_path)
                record.refuse(str(stop)) if word == "Refused" else record.interrupt(why_stopped(stop))
            raise stop

    with pytest.raises(type(stop)):
        run()
    text = page.read_text()
    assert f"</span> {word}</h1>" in text
    assert said in text
    assert "Preflight passed" not in text
    assert ("not judged" in text) is recorded


def test_a_page_that_cannot_be_written_is_refused_and_leaves_nothing_half_written(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"--html .*: expected a file that can be written"),
        page_of_run(tmp_path / "file" / "page.html", tmp_path, tmp_path),
    ):
        pytest.fail("nothing is to be run then")


def test_a_report_is_replaced_as_a_whole_and_a_link_to_it_stays_one(tmp_path):
    (tmp_path / "a.html").write_text("old")
    (tmp_path / "link.html").symlink_to(tmp_path / "a.html")
    with (tmp_path / "a.html").open() as reader:
        write_report(tmp_path / "link.html", "new")
        assert reader.read() == "old"
    assert ((tmp_path / "a.html").read_text(), (tmp_path / "link.html").is_symlink()) == ("new", True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.html", "link.html"]


@pytest.mark.parametrize(("left", "first"), [(3, "Unfinished: 3 rows to come."), (0, "0 of 0 cells as they must be")])
def test_the_table_of_a_matrix_says_from_its_beginning_how_many_rows_are_to_come(tmp_path, left, first):
    (tmp_path / "m.md").write_text("162 of 162 cells as they must be")
    _write([], left, tmp_path / "m.md", tmp_path / "m.json")
    assert (tmp_path / "m.md").read_text().startswith(first)
    assert json.loads((tmp_path / "m.json").read_text()) == []


@pytest.mark.parametrize("as_json", [True, False])
def test_a_run_that_is_stopped_has_a_result_on_stdout(tmp_path, capsys, as_json):
    def run():
        with result_of_run(tmp_path / "run-1", as_json=as_json):
            begin(tmp_path).interrupt("stopped by Ctrl-C")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    said = capsys.readouterr().out
    if as_json:
        document = json.loads(said)
        assert document["state"]["status"] == "interrupted"
        assert (document["result"]["word"], document["result"]["exit_status"]) == ("Unfinished", 2)
        assert ([entry["id"] for entry in document["verdicts"]], document["unjudged"]) == (["X1"], ["X2"])
    else:
        assert "1 of 2 checks were judged, which is neither a pass nor a failure." in said
        assert said.endswith(f"Record: {tmp_path / 'run-1'}\n")


def test_a_run_that_is_refused_before_it_has_a_record_says_nothing_on_stdout(tmp_path, capsys):
    with pytest.raises(InputError), result_of_run(tmp_path / "run-1", as_json=True):
        raise InputError("no chart")
    assert capsys.readouterr().out == ""


STUCK = """
import signal, sys, time
from seatrial.cli import certify as module, main

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a test run in the background has not

class Cluster:
    name, certificate, context = "local", "preflight", None
    def up(self):
        print("coming up", file=sys.stderr, flush=True)
        time.sleep(600)
    def down(self):
        pass

module.chosen_cluster = lambda *_: Cluster()
main.main()
"""


@pytest.mark.parametrize(("number", "status", "by"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_the_command_leaves_page_document_and_record_of_an_unfinished_run(page, tmp_path, number, status, by):
    chart = os.path.join(os.path.dirname(__file__), "../../../examples/greeter")
    process = subprocess.Popen(
        [
            sys.executable, "-c", STUCK, "certify", chart, "-q", "--json", "--html", str(page),
            "--runs", str(tmp_path / "runs"),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr.readline() == "coming up\n"
    assert "Preflight passed" not in page.read_text()
    time.sleep(0.2)
    process.send_signal(number)
    said, told = process.communicate(timeout=60)
    assert process.returncode == status
    assert [line for line in told.splitlines() if line] == [f"wrote {page}", f"seatrial: stopped by {by}"]
    document = json.loads(said)
    assert document["result"]["word"] == "Unfinished"
    assert len(document["unjudged"]) > 10
    (folder,) = (tmp_path / "runs").iterdir()
    record = RunRecord.open(folder)
    assert (record.state.status, record.state.reason) == ("interrupted", f"stopped by {by}")
    assert f"stopped by {by}" in page.read_text()
