"""A record is readable at any moment, and tells damage from a run that was killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from seatrial.errors import InputError
from seatrial.observation import Observation, Remains
from seatrial.record import Asked, FirstTry, RecordWriter, RunHeader, RunRecord, canonical
from seatrial.record.codec import plain
from seatrial.verdict import Measurement, failed, passed, skipped

GOOD = passed(
    "no loss", "no loss", n=100, measurements=[Measurement("p95", 0.1, "s", 100, 0.09, 0.11, 0.95, "<= 0.2 s")]
)
BAD = failed("no loss", "3 rows lost", "wait before closing", n=100, evidence=["SIGTERM at 3.0 s"])


@pytest.fixture
def finished(record, seen) -> RecordWriter:
    record.add_trial("deletion", seen, {"manifests.yaml": "kind: Pod\n"})
    record.add_trial_failure("rollout", "the upgrade was refused")
    record.add_verdict("D10", "MUST", "Late answers are errors", skipped("not promised"), [])
    record.add_verdict("D2", "MUST", "Streams end", BAD, ["deletion"], name="drain-streams-end", promise="drain")
    record.add_verdict("D1", "SHOULD", "Drain finishes", GOOD, ["deletion"])
    record.finish(1)
    return record


def test_a_finished_record_reads_back(finished, header, seen):
    back = RunRecord.open(finished.folder)
    assert back.header == header
    assert (back.state.status, back.state.exit_status) == ("finished", 1)
    assert back.trials() == ["deletion"]
    assert back.trial_failures() == {"rollout": "the upgrade was refused"}
    assert back.observation("deletion", Observation).timeline == seen.timeline
    assert [(entry.id, entry.verdict) for entry in back.verdicts()] == [
        ("D10", skipped("not promised")),
        ("D2", BAD),
        ("D1", GOOD),
    ]
    assert (back.damage(), back.loose_ends()) == ([], [])
    assert back.digest() == finished.digest()


def test_what_remains_of_a_trial_without_an_observation_is_kept(record, seen):
    record.add_trial_failure("install", "the pods did not come up", None, Remains(seen.timeline, seen.logs))
    back = RunRecord.open(record.folder)
    assert (back.trials(), back.trial_failures()) == ([], {"install": "the pods did not come up"})
    assert back.timeline("install") == seen.timeline
    kept = json.loads((back.trial_folder("install") / "failure.json").read_bytes())
    assert kept["logs"] == [{"pod": "a", "container": "server", "previous": False, "lines": [[6.0, "SIGTERM"]]}]
    assert back.damage() == []


def test_canonical_verdicts_are_sorted_by_number(finished):
    document = json.loads((finished.folder / "verdicts.json").read_bytes())
    assert [entry["id"] for entry in document["verdicts"]] == ["D1", "D2", "D10"]
    assert (finished.folder / "verdicts.json").read_bytes() == canonical(reversed(finished.verdicts()))


@pytest.mark.parametrize("file_name", ["trials/deletion/ledger.npz", "contract.yaml", "verdicts.json", "end.json"])
def test_a_changed_byte_is_found_with_both_digests(finished, file_name):
    path = finished.folder / file_name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (damage,) = finished.damage()
    expected = json.loads((finished.folder / "manifest.json").read_bytes())["files"][file_name]["sha256"]
    assert damage.file == file_name
    assert expected in damage.what
    assert "changed since it was recorded" in damage.what


def test_a_damaged_trial_is_not_judged(finished):
    path = finished.folder / "trials/deletion/ledger.npz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"ledger\.npz: expected \d+ bytes with SHA-256 \w{64}, found .* cut short"):
        RunRecord.open(finished.folder).observation("deletion", Observation)
    assert list(finished.damaged_trials()) == ["deletion"]


def test_a_file_that_was_added_later_is_found(finished):
    (finished.folder / "trials/deletion/extra.txt").write_text("x")
    assert [damage.file for damage in finished.damage()] == ["trials/deletion/extra.txt"]


def test_a_file_that_was_removed_is_found(finished):
    (finished.folder / "trials/deletion/timeline.jsonl").unlink()
    assert "found no file" in finished.damage()[0].what


def test_a_line_appended_after_the_end_is_damage(finished):
    with (finished.folder / "verdicts.jsonl").open("ab") as stream:
        stream.write(b"{}\n")
    assert [damage.file for damage in finished.damage()] == ["verdicts.jsonl"]


def test_an_unknown_trial_is_named_with_those_there_are(finished):
    with pytest.raises(InputError, match="expected an observation of trial rollout, found only deletion"):
        finished.observation("rollout", Observation)


def test_another_schema_version_is_refused(finished):
    path = finished.folder / "record.json"
    path.write_text(path.read_text().replace('"schema": 2', '"schema": 7'))
    with pytest.raises(InputError, match=r"record\.json: expected schema version 1 or 2, found 7.*0\.1\.0"):
        RunRecord.open(finished.folder)


@pytest.mark.parametrize(
    "content", ["[]", "7", '{"schema": 2}', '{"schema": 2, "run": []}', '{"schema": 2, "run": {}}', "{"]
)
def test_a_header_that_is_none_is_refused(finished, content):
    (finished.folder / "record.json").write_text(content)
    with pytest.raises(InputError, match=r"record\.json"):
        RunRecord.open(finished.folder)


def test_a_folder_without_a_manifest_is_no_record(tmp_path):
    with pytest.raises(InputError, match="expected the manifest of a run record"):
        RunRecord.open(tmp_path)
    with pytest.raises(InputError, match="expected the folder of a run record"):
        RunRecord.open(tmp_path / "nothing")


def test_a_run_id_is_used_once(tmp_path, record, header):
    with pytest.raises(InputError, match="expected no record of this run id"):
        RecordWriter.create(tmp_path, header)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_names_cannot_leave_the_record(record, seen, name):
    with pytest.raises(InputError, match="choose another name"):
        record.add_trial(name, seen)


def test_a_trial_is_recorded_once(record, seen):
    record.add_trial("deletion", seen)
    with pytest.raises(InputError, match="expected each trial once"):
        record.add_trial_failure("deletion", "again")


FIRST = FirstTry("the generator was late", 0.02, 1.5)


def test_the_first_try_of_a_trial_is_kept_whether_the_second_saw_something_or_not(record, seen):
    record.add_trial("deletion", seen, first_try=FIRST)
    record.add_trial_failure("rollout", "no room", FIRST)
    record.add_trial("once", seen)
    record.finish(0)
    back = RunRecord.open(record.folder)
    assert back.first_tries() == {"deletion": FIRST, "rollout": FIRST}
    assert (back.trials(), list(back.trial_failures()), back.damage()) == (["deletion", "once"], ["rollout"], [])


def test_a_record_from_before_first_tries_were_kept_has_none(finished):
    assert RunRecord.open(finished.folder).first_tries() == {}


@pytest.mark.parametrize("content", ["{", "[]", '{"reason": 1}'])
def test_a_first_try_that_cannot_be_read_is_damage_and_stops_no_reader(record, seen, content):
    record.add_trial("deletion", seen, first_try=FIRST)
    record.finish(0)
    (record.folder / "trials/deletion/first-try.json").write_text(content)
    back = RunRecord.open(record.folder)
    assert "first-try.json: expected" in back.first_tries()["deletion"].reason
    assert [damage.file for damage in back.damage()] == ["trials/deletion/first-try.json"]


def test_an_ended_record_takes_nothing_more(finished, seen):
    with pytest.raises(InputError, match="found it finished"):
        finished.add_verdict("D3", "MUST", "t", GOOD, [])
    with pytest.raises(InputError, match="found it finished"):
        finished.add_trial("late", seen)


def test_an_interrupted_run_says_why(record):
    record.add_verdict("D1", "MUST", "t", GOOD, [])
    record.interrupt("Ctrl-C")
    back = RunRecord.open(record.folder)
    assert (back.state.status, back.state.reason, len(back.verdicts())) == ("interrupted", "Ctrl-C", 1)
    assert back.damage() == []


def test_a_torn_last_verdict_is_dropped_and_said(record):
    record.add_verdict("D1", "MUST", "t", GOOD, [])
    record.add_verdict("D2", "MUST", "t", GOOD, [])
    path = record.folder / "verdicts.jsonl"
    with path.open("ab") as stream:
        stream.write(b'{"id":"D3","lev')
    back = RunRecord.open(record.folder)
    assert [entry.id for entry in back.verdicts()] == ["D1", "D2"]
    assert back.damage() == []
    assert [(end.file, "15 bytes" in end.what) for end in back.loose_ends()][1:] == [("verdicts.jsonl", True)]


def test_a_bad_line_before_the_last_is_not_taken_for_torn(record):
    record.add_verdict("D1", "MUST", "t", GOOD, [])
    path = record.folder / "verdicts.jsonl"
    path.write_bytes(b'{"id":\n' + path.read_bytes())
    with pytest.raises(InputError, match=r"verdicts\.jsonl, line 1"):
        RunRecord.open(record.folder).verdicts()


def test_trials_side_by_side_are_all_kept(record, seen):
    def work(number):
        record.add_trial(f"trial-{number}", seen)
        record.add_verdict(f"D{number}", "MUST", "t", GOOD, [f"trial-{number}"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record.finish(0)
    back = RunRecord.open(record.folder)
    assert (len(back.trials()), len(back.verdicts()), back.damage()) == (16, 16, [])


ENDLESS = """
import json, sys
from pathlib import Path
from seatrial.record import RecordWriter, RunHeader
from seatrial.record.codec import structured
from seatrial.verdict import passed
from seatrial.ledger import ledger
from seatrial.observation import Timeline
from dataclasses import dataclass
from seatrial.ledger import Ledger

@dataclass(frozen=True)
class Small:
    ledger: Ledger
    timeline: Timeline

header = structured(json.loads(sys.argv[2]), RunHeader, "argument")
record = RecordWriter.create(Path(sys.argv[1]), header)
print("begun", flush=True)
small = Small(ledger([{"status": 200}] * 50), Timeline())
for number in range(100_000):
    record.add_trial(f"t{number}", small)
    record.add_verdict(f"D{number}", "MUST", "t", passed("x", "x"), [f"t{number}"])
"""


@pytest.mark.parametrize("after_s", [0.0, 0.011, 0.023, 0.037, 0.053, 0.071])
def test_a_killed_run_stays_readable(tmp_path, header: RunHeader, after_s):
    """Killed in the midst of writing: all that is read is whole, and nothing looks tampered with."""
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(tmp_path), json.dumps(plain(header))], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    back = RunRecord.open(tmp_path / header.run_id)
    assert back.state.status == "running"
    assert back.damage() == []
    assert back.loose_ends()[0].file == "end.json"
    assert 0 <= len(back.trials()) - len(back.verdicts()) <= 1
    for name in back.trials():
        assert len(back.ledger(name)) == 50


def test_names_of_an_earlier_record_are_those_of_today(header, tmp_path):
    """The functions of checks have underscores; whatever is read has dashes."""
    asked = Asked("X1", "MUST", "No request is lost.", "no_request_is_lost")
    asked_for = replace(header, run_id="earlier", checks=(asked, replace(asked, id="X2")))
    writer = RecordWriter.create(tmp_path, asked_for)
    writer.add_verdict("X1", "MUST", "No request is lost.", passed("a", "b", n=1), [], name="no_request_is_lost")
    record = RunRecord.open(writer.folder)
    assert [entry.name for entry in record.verdicts()] == ["no-request-is-lost"]
    assert [each.name for each in record.unjudged()] == ["no-request-is-lost"]
