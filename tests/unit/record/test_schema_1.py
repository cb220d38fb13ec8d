"""A record of schema 1, written from made-up observations by the code of that time, is read, judged and reported."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

import pytest

from seatrial.observation import Change, Timeline, Workload
from seatrial.record import RunRecord, schema_1
from seatrial.record.files import fingerprint_of
from seatrial.reporting.junit import junit_xml
from seatrial.reporting.model import read_report
from seatrial.reporting.pages import html_page, markdown_text
from seatrial.reporting.terminal import as_text
from seatrial.suite.replay import judge_again
from seatrial.trials.autoscaling import Scaling
from seatrial.trials.concurrency import ConcurrentLoad
from seatrial.verdict import Evidence
from tests.helpers.observations import checks

FOLDER = Path(__file__).parent / "data" / "schema-1"


@pytest.fixture
def record() -> RunRecord:
    return RunRecord.open(FOLDER)


def test_every_verdict_is_judged_again_as_it_was_recorded(record):
    replay = judge_again(record, checks(), record.damage())
    assert (replay.changed, replay.lost) == ([], {})
    # B1 shows what was expected beside what it found; of a trial that failed the advice says where its logs are.
    assert {old.id for old, _ in replay.reworded} == {"B1", "P1", "P11"}
    assert {entry.id for entry in replay.again} == {
        "A1", "A6", "B1", "B2", "L1", "L2", "L3", "L6", "L8", "P1", "P5", "P10", "P11",
    }  # fmt: skip
    assert {str(entry.verdict.outcome) for entry in replay.again} == {"pass", "fail", "inconclusive", "error"}


def test_reading_changes_no_file(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "record")
    before = {file: fingerprint_of(file) for file in folder.rglob("*") if file.is_file()}
    record = RunRecord.open(folder)
    judge_again(record, checks(), record.damage())
    html_page(read_report(record))
    assert {file: fingerprint_of(file) for file in folder.rglob("*") if file.is_file()} == before
    assert (record.damage(), record.loose_ends()) == ([], [])


def test_names_are_those_of_today(record):
    assert record.trials() == ["autoscaling", "concurrency", "overload", "rate-limit"]
    assert record.verdicts_in_order()[0].name == "replicas-follow-formula"
    assert record.trial_failures() == {"install": "the image could not be pulled"}
    assert [step.load for step in record.observation("autoscaling", Scaling).steps] == ["step-1", "step-2"]
    concurrent = record.observation("concurrency", ConcurrentLoad)
    assert (concurrent.trial, len(concurrent.ledger.of("loop"))) == ("concurrency", 2016)
    assert {row.trial for row in record.ledger("concurrency")} == {"concurrency"}


def deployment(name):
    return Change(0.1, "Deployment", "ADDED", name, {"metadata": {"name": name}})


@pytest.mark.parametrize(
    ("deployments", "name"),
    [
        (["subject", "subject"], "subject"),
        ([], ""),  # no pods are owned by that
        (["a", "b"], ""),
    ],
)
def test_what_was_under_trial_is_the_only_deployment_of_the_timeline(deployments, name):
    fields = schema_1.observation({"trial": "seatrial-1-x"}, "x", Timeline(tuple(map(deployment, deployments))))
    assert fields == {"trial": "x", "subject": asdict(Workload("Deployment", name))}


def test_an_observation_is_about_what_was_under_trial(record):
    assert record.observation("autoscaling", Scaling).subject == Workload("Deployment", "subject")


def test_a_row_is_of_the_only_trial_of_its_check_and_else_of_no_known_one(record):
    decisive = {entry.id: entry.verdict.decisive for entry in record.verdicts() if entry.verdict.decisive}
    assert decisive["B1"] == (Evidence("concurrency", 112),)
    assert {place.trial for place in decisive["P10"]} == {""}


def test_another_row_than_the_recorded_one_is_another_verdict(tmp_path, record):
    folder = shutil.copytree(FOLDER, tmp_path / "record")
    lines = (folder / "verdicts.jsonl").read_text()
    assert '"rows":[112]' in lines
    (folder / "verdicts.jsonl").write_text(lines.replace('"rows":[112]', '"rows":[113]'))
    ((old, new),) = judge_again(RunRecord.open(folder), checks(), []).changed
    assert (old.verdict.rows, new.verdict.rows) == ((113,), (112,))


def test_damage_of_a_trial_is_told_by_the_name_that_it_has_today(tmp_path):
    folder = shutil.copytree(FOLDER, tmp_path / "record")
    (folder / "trials/crowd/ledger.npz").write_bytes(b"")
    record = RunRecord.open(folder)
    assert list(record.damaged_trials()) == ["concurrency"]
    assert set(judge_again(record, checks(), record.damage()).lost) == {"B1", "B2"}


def test_every_report_is_made_of_it(record):
    report = read_report(record)
    assert {row.load for judged in report.judged if judged.entry.id == "B1" for row in judged.rows} == {"loop"}
    suite = ElementTree.fromstring(junit_xml(report)).find("testsuite")
    assert suite is not None
    assert suite.get("tests") == "13"
    assert "of which trial, the record does not say" in html_page(report)
    assert "row 112 of concurrency" in markdown_text(report)
    assert "c28 got that of c55" in as_text(FOLDER)


def test_the_data_is_of_schema_1():
    assert json.loads((FOLDER / "record.json").read_bytes())["schema"] == 1
    assert (FOLDER / "trials" / "crowd").is_dir()
