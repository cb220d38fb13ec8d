"""The requests that decided a verdict are those of the trial that it names, in every report."""

import json
import re
from dataclasses import replace

import click
import made_up
import pytest

from seatrial.ledger import ledger
from seatrial.record import RecordWriter
from seatrial.record.header import contract_text
from seatrial.reporting.junit import junit_xml
from seatrial.reporting.model import Judged, read_report
from seatrial.reporting.pages import html_page, markdown_text
from seatrial.reporting.terminal import as_json, as_text
from seatrial.verdict import Evidence, Outcome, Verdict, failed
from tests.helpers import overloads, rate_limits
from tests.helpers.batches import answer, batching, concurrent_load, loop_rows
from tests.helpers.observations import contract, judged, wrong

LIMITS = {"rate": rate_limits.LIMIT, "concurrency": overloads.CONCURRENCY}


def promises():
    made = contract(probes=overloads.PROBES, limits=LIMITS)
    long = {"request": {"text": "{seconds}"}, "expect": {"answer": "{seconds}"}}
    return made.model_validate({**made.model_dump(), "inference": {**made.inference.model_dump(), "long": long}})


def refused(row):
    """A concurrency gate that stands before the probes, too."""
    return {**row, "status": 503} if row["load"] == "probe-readiness" else row


LIMITED = replace(rate_limits.rate_limited(), trial="rate-limit")
OVERLOADED = replace(overloads.overload(change=refused), trial="overload")


@pytest.fixture
def record(tmp_path) -> RecordWriter:
    """Two trials with a ledger each."""
    record = RecordWriter.create(tmp_path, made_up.header("run-1"))
    record.add_trial("rate-limit", LIMITED)
    record.add_trial("overload", OVERLOADED)
    return record


def reported(record: RecordWriter, verdict: Verdict) -> Judged:
    record.add_verdict("P10", "MUST", "Probes are answered.", verdict, ["rate-limit", "overload"])
    record.finish(1)
    (found,) = read_report(record).judged
    return found


def test_a_check_of_two_trials_that_fails_in_the_second_shows_requests_of_the_second(record):
    verdict = judged("P10", promises(), LIMITED, OVERLOADED)
    assert verdict.outcome is Outcome.FAIL
    found = reported(record, verdict)
    assert {(row.trial, row.load, row.status) for row in found.rows} == {("overload", "probe-readiness", 503)}
    assert [row.row for row in found.rows] == list(verdict.rows)
    assert found.lost == ()


def test_every_report_names_the_trial_of_the_requests(record):
    verdict = failed("none refused", "some were", "let them pass", n=9, rows=list(OVERLOADED.ledger.of("hold"))[:2])
    first, second = verdict.rows
    reported(record, verdict)
    report = read_report(record)
    said = f"decisive: rows {first}, {second} of overload"
    assert said in junit_xml(report)
    assert f"- {said}" in markdown_text(report)
    assert said in click.unstyle(as_text(record.folder))
    cells = re.sub(r' (class|data-name)="[^"]*"', "", html_page(report))
    assert f"<td>overload</td><td>{first}</td><td>hold</td>" in cells
    (entry,) = json.loads(as_json(record.folder))["verdicts"]
    assert entry["verdict"]["decisive"] == [{"trial": "overload", "row": row} for row in (first, second)]


def answered_by_another(tmp_path, contract_file):
    """A record whose B1 found an answer that went astray."""
    rows = loop_rows()
    astray = concurrent_load([*rows[:100], wrong(rows[100], answer(55)), *rows[101:]])
    seen = replace(astray, trial="concurrency")
    record = RecordWriter.create(tmp_path, replace(made_up.header("run-1"), contract=contract_file))
    record.add_trial("concurrency", seen)
    verdict = judged("B1", batching(), seen)
    record.add_verdict("B1", "MUST", "Everyone gets their own answer.", verdict, ["concurrency"])
    record.finish(1)
    return html_page(read_report(record))


def test_the_page_has_what_was_expected_beside_what_was_found(tmp_path):
    page = answered_by_another(tmp_path, contract_text(batching()))
    assert "<th>case</th><th>expected</th><th>found</th>" in page
    assert '<td class="wide mono" data-name="expected">{&#34;answer&#34;: 28}</td>' in page
    assert '<td class="wide mono" data-name="found">{&#34;answer&#34;: 55}</td>' in page


def test_without_a_contract_that_can_be_read_the_page_has_what_was_found(tmp_path):
    page = answered_by_another(tmp_path, made_up.CONTRACT)
    assert "<th>error</th><th>answer</th></tr>" in page
    assert '<td class="wide mono" data-name="answer">{&#34;answer&#34;: 55}</td>' in page


def test_requests_of_several_trials_keep_theirs(record):
    rows = [next(iter(LIMITED.ledger)), next(iter(OVERLOADED.ledger.of("hold")))]
    found = reported(record, failed("none", "two", "see", n=9, rows=rows))
    assert [(row.trial, row.load) for row in found.rows] == [("rate-limit", rows[0].load), ("overload", "hold")]


def test_rows_keep_their_trial_through_every_selection():
    chosen = OVERLOADED.ledger.of("hold").to("a").between(0, 1e9).with_status(200)
    assert {row.trial for row in chosen} == {"overload"}


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Evidence("overload", 10**6), "row 1000000 of overload: its ledger has none of that number, only 4010 rows"),
        (Evidence("rollout", 3), "row 3 of rollout: the record has no ledger of that trial that could be read"),
        (Evidence("", 3), "row 3: of which trial, the record does not say (rate-limit or overload)"),
    ],
    ids=["no such row", "no such trial", "no trial"],
)
def test_a_row_that_is_not_there_is_told_in_every_report(record, place, said):
    found = reported(record, replace(failed("none", "one", "see", n=9), decisive=(place,)))
    said = said.replace("4010", str(len(OVERLOADED.ledger)))
    assert (found.rows, found.lost) == ((), (said,))
    report = read_report(record)
    for text in (junit_xml(report), html_page(report), re.sub(r"\\(.)", r"\1", markdown_text(report))):
        assert said in text


def test_a_ledger_that_is_of_no_trial_yet_says_so():
    assert failed("none", "one", "see", n=1, rows=ledger([{}])).decisive == (Evidence("", 0),)
