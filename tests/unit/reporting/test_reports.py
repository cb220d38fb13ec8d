"""Every report says what the record says, whatever the record is made of."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import click
import made_up
import pytest

from seatrial.record import FirstTry, RecordWriter, RunRecord
from seatrial.reporting.junit import junit_xml
from seatrial.reporting.model import read_report
from seatrial.reporting.pages import html_page, markdown_text
from seatrial.reporting.terminal import as_json, as_text
from seatrial.verdict import failed, passed, skipped

NASTY = "</style><script>alert(1)</script> | `x` \x00\x1b[31m ]]>"


class Page(HTMLParser):
    """Tags and links of a page; `balance` is zero when everything that was opened was closed."""

    VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src", "data", "action") and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_elsewhere(report):
    text = html_page(report)
    page = Page(text)
    assert page.open == []
    assert {"script", "link", "img", "iframe"}.isdisjoint(page.tags)
    assert [link for link in page.links if not link.startswith("#")] == []
    assert re.findall(r"url\(|@import", text) == []


def test_on_a_phone_each_cell_of_a_wide_table_stands_beside_the_name_of_its_column(report):
    text = html_page(report)
    tables = re.findall(r'<table class="stacked">(.*?)</table>', text, re.DOTALL)
    assert len(tables) > len(report.trials)
    for table in tables:
        rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        columns = []  # of what is listed by name, the second cell needs none
        if "<th" in rows[0]:
            header, *rows = rows
            _, *columns = re.findall(r"<th[^>]*>([^<]+)</th>", header)
        assert [re.findall(r'data-name="([^"]+)"', row) for row in rows] == [columns] * len(rows)
        assert all(re.match(r'\s*<td class="(mono )?first"', row) for row in rows)


def test_the_page_shows_every_check_with_its_sentence(report):
    text = html_page(report)
    for judged in report.judged:
        assert judged.entry.title.replace("'", "&#39;") in text
    assert "26 lost or wrong, the first (long) reset after 1.20 s" in text
    assert "Not certified" in text
    assert text.count('class="check fail"') == 3


def test_links_between_checks_lead_somewhere(report):
    text = html_page(report)
    targets = set(re.findall(r'id="([^"]+)"', text))
    assert {link[1:] for link in Page(text).links} == {"D4"} <= targets


def test_a_deletion_has_the_number_of_its_round_as_in_verdicts_and_rows(report):
    text = html_page(report)
    assert re.findall(r"<strong>(\w+ \d):", text) == ["Round 0", "Round 1", "Round 2"]


def test_the_worst_deletion_is_open_and_the_rest_are_folded(report):
    text = html_page(report)
    assert len(re.findall(r'<details class="card drain"', text)) == 3
    assert len(re.findall(r'<details class="card drain" open', text)) == 1


def test_decisive_rows_are_those_of_the_ledger(report, record):
    (d1,) = [judged for judged in report.judged if judged.entry.id == "D1"]
    assert [row.row for row in d1.rows] == list(d1.entry.verdict.rows)
    assert {row.error for row in d1.rows} == {"reset", "refused"}


def test_what_was_not_checked_says_why(report):
    reasons = [(reason, [judged.entry.id for judged in group]) for reason, group in report.skipped_by_reason()]
    assert reasons == [
        ("the cluster has no metrics API", ["A1"]),
        ("the contract does not promise batching", ["B1", "B3"]),
    ]


def test_promises_are_listed_without_those_not_made(report):
    promises = dict(report.promises)
    assert promises["drain.budget_s"] == "8 (Helm value drain.budgetSeconds)"
    assert promises["inference.cases"] == "2 requests with a known right answer"
    assert "batching" not in promises


def test_reports_of_one_record_are_equal(record):
    again = RunRecord.open(record.folder)
    for write in (html_page, markdown_text, junit_xml):
        assert write(read_report(record)) == write(read_report(again))


def test_junit_has_one_case_a_check(report):
    suite = ElementTree.fromstring(junit_xml(report)).find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "10",
        "failures": "2",
        "errors": "2",
        "skipped": "4",
    }
    cases = {str(case.get("name")).split()[0]: case for case in suite.iter("testcase")}
    assert cases["D1"].get("classname") == "drain"
    assert cases["D1"].find("failure") is not None
    assert cases["D3"].find("error") is not None
    assert len(cases["P1"].findall("failure") + cases["P1"].findall("error")) == 0


def test_a_failed_should_does_not_fail_a_build(report):
    suite = ElementTree.fromstring(junit_xml(report))
    (case,) = [case for case in suite.iter("testcase") if str(case.get("name")).startswith("P6 ")]
    skipped_by = case.find("skipped")
    assert skipped_by is not None
    assert str(skipped_by.get("message")).startswith("SHOULD, a warning: expected fewer than 1 %")


def test_markdown_lists_checks_and_what_to_do(report):
    text = markdown_text(report)
    assert text.startswith("# ✗ Not certified: charts/pii-service\n")
    assert "| ✗ fail | D1 | MUST |" in text
    assert "- do: on SIGTERM keep what was accepted" in text
    assert "- the contract does not promise batching: B1 (MUST), B3 (MUST)" in text
    tables = re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)
    assert [len({line.count("|") - line.count("\\|") for line in table.splitlines()}) for table in tables] == [1] * len(
        tables
    )


def test_text_in_a_pipe_has_no_colour_codes_left(record):
    """click takes them out; what remains is the table."""
    text = click.unstyle(as_text(record.folder))
    assert "\x1b" not in text
    assert re.search(r"^✗ fail +D1 +MUST +n=34 +in-flight-finishes$", text, re.MULTILINE)
    assert "Not certified. 2 of 6 applicable MUST checks failed: D1, D4." in text
    assert str(record.folder) in text


LONG = "34 answers, " * 20 + "and the last word"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_line_is_cut_on_a_terminal_only(tmp_path, monkeypatch, terminal):
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    record = RecordWriter.create(tmp_path, made_up.header("run-1"))
    record.add_verdict("X1", "MUST", "A title.", passed("a", LONG, n=1), [], name="long")
    line = click.unstyle(as_text(record.folder)).splitlines()[0]
    assert (line.endswith("and the last word"), len(line) <= 80) == (not terminal, terminal)


def test_json_is_one_document_with_a_schema_version(record):
    document = json.loads(as_json(record.folder))
    assert (document["schema"], document["result"]["exit_status"], len(document["verdicts"])) == (2, 1, 10)
    assert document["record"]["sha256"] == record.digest()


@pytest.mark.parametrize("write", [html_page, markdown_text, junit_xml])
def test_hostile_text_stays_text(tmp_path, write):
    """A service under trial writes into its own report: names, bodies and log lines."""
    record = RecordWriter.create(tmp_path, made_up.header("run-1"))
    record.add_verdict("X1", "MUST", NASTY, failed(NASTY, NASTY, NASTY, evidence=[NASTY]), [], name=NASTY)
    record.add_verdict("X2", "MUST", NASTY, skipped(NASTY), [])
    record.add_trial_failure("t", NASTY)
    record.finish(1)
    text = write(read_report(record))
    assert "<script>" not in text.replace("\\<", "")
    if write is junit_xml:
        assert len(list(ElementTree.fromstring(text).iter("testcase"))) == 2
    elif write is html_page:
        assert Page(text).tags.count("style") == 1


def test_a_killed_run_says_so(tmp_path):
    record = made_up.begin(tmp_path)
    report = read_report(RunRecord.open(record.folder))
    assert report.headline.word == "Unfinished"
    assert "The run is under way, or it was killed." in html_page(report)
    assert "end.json" in markdown_text(report)
    junit_xml(report)


@pytest.mark.parametrize("write", [html_page, markdown_text])
def test_a_trial_that_was_run_twice_is_named_with_the_reason(tmp_path, write):
    record = RecordWriter.create(tmp_path, made_up.header("run-1"))
    record.add_trial_failure("concurrency", "no room", FirstTry("the generator was up to 1.50 s late", 0.02, 1.5))
    record.finish(2)
    assert "Trials that were run twice" in write(read_report(record))
    assert "in the first try the generator was up to 1.50 s late" in write(read_report(record))
    assert "Note: trial concurrency was run twice; in the first try the generator was" in as_text(record.folder)
    assert json.loads(as_json(record.folder))["first_tries"]["concurrency"]["start_lag_max_s"] == 1.5


@pytest.mark.parametrize("write", [html_page, markdown_text])
def test_a_run_without_such_a_trial_does_not_speak_of_them(report, write):
    assert "run twice" not in write(report)


def test_a_damaged_record_says_so_first(record, tmp_path):
    folder = shutil.copytree(record.folder, tmp_path / "damaged")
    path = folder / "trials/pod-deletion/ledger.npz"
    path.write_bytes(path.read_bytes()[:-9])
    report = read_report(RunRecord.open(folder))
    assert report.headline.word == "Evidence damaged"
    assert [trial.name for trial in report.trials] == ["calibration"]
    assert "trials/pod-deletion/ledger.npz" in html_page(report)
    assert "Evidence damaged" in markdown_text(report)


def test_an_empty_run_is_not_a_pass(tmp_path):
    record = RecordWriter.create(tmp_path, made_up.header("run-1"))
    record.finish(2)
    report = read_report(record)
    assert (report.headline.word, report.headline.sentence) == ("Not certified", "No MUST check was judged.")
    for write in (html_page, markdown_text, junit_xml):
        write(report)
    assert "No checks." in as_text(record.folder)


@pytest.mark.parametrize(
    ("musts", "certificate", "word"),
    [
        (20, "certified", "Certified"),
        (20, "preflight", "Preflight passed"),
        (19, "certified", "Passed, not certified"),
    ],
)
def test_what_a_passed_run_may_be_called(tmp_path, musts, certificate, word):
    record = RecordWriter.create(tmp_path, replace(made_up.header("run-1"), certificate=certificate))
    for number in range(musts):
        record.add_verdict(f"X{number}", "MUST", "t", passed("x", "x", n=1), [])
    record.finish(0)
    assert read_report(record).headline.word == word
