"""A record is judged again from its files alone, and says which verdicts have lost their evidence."""

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from seatrial.cli.report import report
from seatrial.cli.verify import verify
from seatrial.errors import InputError
from seatrial.ledger import ledger
from seatrial.observation import GeneratorHealth, Timeline, Workload
from seatrial.record import Asked, FirstTry, RecordWriter, RunHeader, RunRecord, VerdictEntry
from seatrial.record.alike import alike
from seatrial.reporting.terminal import as_json
from seatrial.suite.registry import load_checks
from seatrial.suite.replay import judge_again
from seatrial.trials.pod_deletion import PodDeletion
from seatrial.verdict import Measurement, failed, passed

CONTRACT = """
apiVersion: seatrial/v1
name: echo
inference:
  path: /echo
  cases: {count: 16, request: {n: "{i}"}, expect: {n: "{i}"}}
"""

CHECK = '''"""No request is lost."""
from seatrial.suite import check
from seatrial.trials.pod_deletion import PodDeletion
from seatrial.verdict import Verdict, failed, passed

@check("X1", level="MUST")
def no_request_is_lost(deletion: PodDeletion) -> Verdict:
    lost = deletion.ledger.select(~deletion.ledger.right)
    if len(lost):
        return failed("no loss", f"{len(lost)} lost", "lose none", n=len(deletion.ledger), rows=lost)
    return passed("no loss", f"{len(deletion.ledger)} answered", n=len(deletion.ledger))
'''


def observed(lost: int) -> PodDeletion:
    rows = [{"correct": 1, "status": 200}] * 5 + [{"error": "reset"}] * lost
    return PodDeletion(
        trial="pod-deletion",
        namespace="n",
        wall_origin_s=0.0,
        started_s=0.0,
        ended_s=1.0,
        values={},
        ledger=ledger(rows),
        timeline=Timeline(),
        scrapes=(),
        logs=(),
        pods=(),
        generator=GeneratorHealth(5, 5, 0.0, 0.0, 0.0, 0.0),
        subject=Workload("Deployment", "subject"),
    )


@pytest.fixture
def checks(tmp_path: Path) -> Path:
    folder = tmp_path / "checks" / "loss"
    folder.mkdir(parents=True)
    (folder / "no_request_is_lost.py").write_text(CHECK)
    return folder.parent


@pytest.fixture
def record(tmp_path: Path) -> RecordWriter:
    """One trial without loss, judged as such."""
    header = RunHeader("run-1", "2026-01-01T00:00:00+00:00", "0.1.0", "local", "preflight", "echo", "ab", CONTRACT)
    record = RecordWriter.create(tmp_path / "runs", header)
    record.add_trial("pod-deletion", observed(lost=0))
    return record


def judged(record: RecordWriter, verdict) -> RunRecord:
    record.add_verdict("X1", "MUST", "No request is lost.", verdict, ["pod-deletion"])
    record.finish(0)
    return RunRecord.open(record.folder)


RIGHT = passed("no loss", "5 answered", n=5)


def test_the_same_verdict_is_equal_byte_for_byte(record, checks):
    replay = judge_again(judged(record, RIGHT), load_checks(checks), [])
    assert (replay.changed, replay.lost) == ([], {})
    assert [entry.verdict for entry in replay.again] == [RIGHT]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (0.1391083406682652, 0.1391083406682653, True),
        (0.13910834066, 0.13910834067, False),
        (0.0, 1e-13, False),
        (None, 0.1, False),
        (None, None, True),
        (float("nan"), float("nan"), True),
        (float("inf"), float("inf"), True),
    ],
)
def test_the_last_digits_of_what_was_measured_are_the_platforms(old, new, same):
    entries = [
        VerdictEntry("X1", "MUST", "x", passed("a", "b", n=1, measurements=[Measurement("share", 1.0, high=high)]), ())
        for high in (old, new)
    ]
    assert alike(*entries) is same
    renamed = replace(entries[0].verdict.measurements[0], name="other")
    assert not alike(entries[0], replace(entries[0], verdict=replace(entries[0].verdict, measurements=(renamed,))))
    assert not alike(entries[0], replace(entries[0], verdict=replace(entries[0].verdict, measurements=())))


def test_a_verdict_that_its_evidence_contradicts_is_told(record, checks):
    replay = judge_again(judged(record, failed("no loss", "2 lost", "lose none", n=7)), load_checks(checks), [])
    ((old, new),) = replay.changed
    assert (old.verdict.outcome, new.verdict.outcome) == ("fail", "pass")


def test_a_damaged_trial_takes_its_checks_with_it(record, checks):
    done = judged(record, RIGHT)
    path = done.folder / "trials/pod-deletion/ledger.npz"
    path.write_bytes(path.read_bytes() + b"x")
    replay = judge_again(done, load_checks(checks), done.damage())
    assert replay.lost == {"X1": "its evidence no longer matches: trials/pod-deletion/ledger.npz"}
    assert replay.again == ()


def test_a_check_that_is_gone_is_told(record):
    replay = judge_again(judged(record, RIGHT), {}, [])
    assert list(replay.lost) == ["X1"]


def test_without_its_contract_nothing_is_judged(record, checks):
    done = judged(record, RIGHT)
    (done.folder / "contract.yaml").write_text(CONTRACT.replace("echo", "else"))
    with pytest.raises(InputError, match="expected the contract as it was recorded"):
        judge_again(done, load_checks(checks), done.damage())


def run(record: RunRecord, checks: Path):
    return CliRunner().invoke(verify, [str(record.folder), "--conformance", str(checks)], standalone_mode=False)


def test_the_command_confirms_a_good_record(record, checks):
    result = run(judged(record, RIGHT), checks)
    assert result.return_value == 0
    assert "1 verdict judged again as recorded, 0 otherwise; every file as it was recorded." in result.output


def test_the_command_names_digests_and_checks_of_a_damaged_record(record, checks):
    done = judged(record, RIGHT)
    path = done.folder / "trials/pod-deletion/observation.json"
    expected = json.loads((done.folder / "manifest.json").read_bytes())["files"]["trials/pod-deletion/observation.json"]
    path.write_text(path.read_text().replace('"ended_s": 1.0', '"ended_s": 9.0'))
    result = run(done, checks)
    assert result.return_value == 3
    assert expected["sha256"] in result.output
    assert "X1: not judged again: its evidence no longer matches" in result.output


def test_the_command_does_not_confirm_a_rewritten_verdict(record, checks):
    result = run(judged(record, passed("no loss", "500 answered", n=500)), checks)
    assert result.return_value == 2
    assert "X1: recorded as pass (500 answered)" in result.output


def test_the_command_shows_both_sentences_where_a_check_has_found_better_words(record, checks):
    result = run(judged(record, passed("no loss", "five answered", n=5)), checks)
    assert result.return_value == 0
    assert "X1: recorded as pass (five answered),\n    judged again pass, in other words (5 answered)" in result.output
    assert "1 verdict judged again as recorded (1 in other words), 0 otherwise; every file" in result.output


def half(tmp_path: Path) -> RecordWriter:
    """A run of two checks, of which one is judged."""
    asked = tuple(Asked(id, "MUST", "No request is lost.", "no-request-is-lost") for id in ("X1", "X2"))
    header = RunHeader(
        "run-3", "2026-01-01T00:00:00+00:00", "0.1.0", "local", "preflight", "echo", "ab", CONTRACT, checks=asked
    )
    record = RecordWriter.create(tmp_path / "runs", header)
    record.add_trial("pod-deletion", observed(lost=0))
    record.add_verdict("X1", "MUST", "No request is lost.", RIGHT, ["pod-deletion"])
    return record


ENDS = [
    (lambda record: None, 2, "Unfinished. The run is under way, or it was killed. 1 of 2 checks were judged"),
    (lambda record: record.interrupt("stopped by Ctrl-C"), 2, "Unfinished. The run did not come to its end: stopped"),
    (lambda record: record.finish(0), 2, "Unfinished. The run ended without a verdict on all that it was to judge."),
    (lambda record: record.refuse("c.yaml: expected x"), 3, "Refused. c.yaml: expected x."),
]


@pytest.mark.parametrize(("end", "status", "said"), ENDS)
def test_half_a_run_is_no_pass(tmp_path, checks, end, status, said):
    """One check passed, and nobody may read that as a pass of the run: in no command, and in no file."""
    record = half(tmp_path)
    end(record)
    verified = run(record, checks)
    assert verified.return_value == status
    assert said in verified.output
    assert re.search(r"not judged +X2 +MUST +no-request-is-lost", verified.output)
    assert "1 verdict judged again as recorded, 0 otherwise" in verified.output

    junit, page, markdown = tmp_path / "j.xml", tmp_path / "p.html", tmp_path / "m.md"
    wanted = ["--junit", str(junit), "--html", str(page), "--markdown", str(markdown)]
    reported = CliRunner().invoke(report, [str(record.folder), *wanted], standalone_mode=False)
    assert reported.return_value == status
    word = said.partition(".")[0]
    assert f"</span> {word}</h1>" in page.read_text()
    assert "not judged" in page.read_text()
    assert markdown.read_text().startswith(f"# ! {word}: echo")
    assert "- X2 (MUST): No request is lost." in markdown.read_text()
    suite = ElementTree.parse(junit).find("testsuite")
    assert (suite.get("tests"), suite.get("errors"), suite.get("failures")) == ("3", "2", "0")
    assert [case.find("error").get("type") for case in suite.iter("testcase") if case.find("error") is not None] == [
        word.lower(), word.lower()
    ]  # fmt: skip

    told = CliRunner().invoke(report, [str(record.folder)], standalone_mode=False)
    assert (told.return_value, said in told.output) == (status, True)
    assert "1 check. MUST: 1 pass. Not judged: 1." in told.output
    document = json.loads(as_json(record.folder))
    assert (document["result"]["word"], document["result"]["exit_status"]) == (word, status)
    assert document["unjudged"] == ["X2"]


def test_a_record_from_before_its_checks_were_kept_is_whole_when_it_finished(record, checks):
    done = judged(record, RIGHT)
    assert (done.header.checks, done.is_whole) == ((), True)
    reported = CliRunner().invoke(report, [str(done.folder)], standalone_mode=False)
    assert (reported.return_value, run(done, checks).return_value) == (0, 0)


def test_a_killed_run_is_verified_as_far_as_it_came(record, checks):
    record.add_verdict("X1", "MUST", "No request is lost.", RIGHT, ["pod-deletion"])
    result = run(record, checks)
    assert result.return_value == 2
    assert "note: end.json" in result.output
    assert "Unfinished. The run is under way, or it was killed. Judged so far: 1 check." in result.output


def test_reports_of_a_damaged_record_are_no_pass(record, tmp_path):
    done = judged(record, RIGHT)
    path = done.folder / "trials/pod-deletion/ledger.npz"
    path.write_bytes(path.read_bytes() + b"x")
    reported = CliRunner().invoke(report, [str(done.folder), "--junit", str(tmp_path / "j.xml")], standalone_mode=False)
    assert reported.return_value == 3
    (error,) = ElementTree.parse(tmp_path / "j.xml").iter("error")
    assert error.get("type") == "evidence damaged"


def test_a_trial_that_was_run_twice_is_told(tmp_path, checks):
    header = RunHeader("run-2", "2026-01-01T00:00:00+00:00", "0.1.0", "local", "preflight", "echo", "ab", CONTRACT)
    twice = RecordWriter.create(tmp_path / "runs", header)
    twice.add_trial("pod-deletion", observed(lost=0), first_try=FirstTry("the generator was late", 0.02, 1.5))
    result = run(judged(twice, RIGHT), checks)
    assert result.return_value == 0
    assert "note: trial pod-deletion was run twice; in the first try the generator was late" in result.output


def test_report_writes_what_is_asked_for(record, tmp_path):
    done = judged(record, RIGHT)
    files = {flag: tmp_path / f"report{flag}" for flag in ("--html", "--junit", "--markdown")}
    arguments = [part for flag, file in files.items() for part in (flag, str(file))]
    CliRunner().invoke(report, [str(done.folder), *arguments], standalone_mode=False, catch_exceptions=False)
    starts = [file.read_text()[:9] for file in files.values()]
    assert starts == ["<!DOCTYPE", "<?xml ver", "# ? Passe"]


def test_report_without_files_prints_the_verdicts(record):
    result = CliRunner().invoke(report, [str(judged(record, RIGHT).folder)], standalone_mode=False)
    assert "✓ pass" in result.output


def test_report_refuses_a_file_that_cannot_be_written(record, tmp_path):
    done = judged(record, RIGHT)
    result = CliRunner().invoke(
        report, [str(done.folder), "--html", str(tmp_path / "no" / "x.html")], standalone_mode=False
    )
    assert isinstance(result.exception, InputError)
