"""The record of one load: begun before anything is sent, and ended with each objective's verdict."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from seatrial.errors import InputError, why_stopped
from seatrial.loads.locust_run import FAILURE_FILE, LOG_FILE, MASTER_FILE, RUN_FILE, Recorded, refuse_without_room
from seatrial.loads.scenario import Scenario
from seatrial.loads.summary import Report
from seatrial.record import RecordWriter, RunHeader, RunRecord, utc_now
from seatrial.record.files import MANIFEST, files_in, read_manifest
from seatrial.record.layout import CONTRACT, END, GENERATOR, LINES, LOADTEST, RECORD, RESULT, SCENARIO, TRACES, VERDICTS
from seatrial.record.loads import files_of, generator_file, scenario_text
from seatrial.suite.objectives import entries

# What the processes of a load leave in its folder, also where no record is.
_FILES = "|".join(map(re.escape, (RUN_FILE, MASTER_FILE, FAILURE_FILE, LOG_FILE, RESULT)))
_OF_PROCESSES = re.compile(rf"ledger.*\.chunks|worker-\d+/.*|{_FILES}")
MOST_OTHERS = 10_000  # entries of the folder; a home or a whole file system was not meant
_WRITTEN = {RECORD, SCENARIO, LOADTEST, CONTRACT, GENERATOR, LINES, VERDICTS, END}


@contextmanager
def load_record(
    folder: Path, run_id: str, scenario: Scenario, locust_file: Path, host: str, sent_from: str
) -> Iterator[RecordWriter]:
    """The record of a load that is about to be sent; `sent_from` is a cluster's name, or this machine.

    Where it is left by an exception, it says so and why, and has what was recorded until then. Files that were in the
    folder stay as they are, and are no part of the record. Raises InputError for a folder that holds another kind of
    record, a file that the record would replace, or too many others; InvalidMeasurement where there is no room.
    """
    clear_record(folder)
    others = _others_in(folder)
    refuse_without_room(folder)
    header = RunHeader(
        run_id=run_id, started=utc_now(), seatrial=importlib.metadata.version("seatrial"), cluster=sent_from,
        versions={
            "python": platform.python_version(),
            "platform": f"{sys.platform} {platform.release()} {platform.machine()}",
            **{name: importlib.metadata.version(name) for name in ("locust", "numpy", "scipy")},
        },
        arguments=tuple(sys.argv[1:]), kind="load", host=host, question=scenario.question,
        scenario=scenario_text(scenario), others=others,
    )  # fmt: skip
    record = RecordWriter.begin(folder, header)
    try:
        record.add_files(files_of(scenario, locust_file))
        yield record
    except BaseException as stopped:
        record.adopt_files()
        if isinstance(stopped, InputError):
            record.refuse(why_stopped(stopped))
        else:
            record.interrupt(why_stopped(stopped))
        raise


def clear_record(folder: Path) -> None:
    """Make the folder, without the record of an earlier load in it. Raises InputError for that of another run."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / MANIFEST).exists():
        return
    if RunRecord.open(folder).header.kind != "load":
        raise InputError(
            f"{folder}: expected a folder for the record of a load, found the record of another run; name another"
        )
    for name in (*read_manifest(folder), MANIFEST):
        file = (folder / name).resolve()
        if file.is_relative_to(folder.resolve()):  # a manifest may say anything
            file.unlink(missing_ok=True)


def _others_in(folder: Path) -> tuple[str, ...]:
    if next(islice(folder.rglob("*"), MOST_OTHERS, None), None):
        raise InputError(
            f"{folder}: expected a folder for the record of a load, found more than {MOST_OTHERS} files and folders in "
            "it; name another"
        )
    others = tuple(name for name in files_in(folder) if not _OF_PROCESSES.fullmatch(name))
    if taken := next((name for name in others if name in _WRITTEN or name.startswith(f"{TRACES}/")), None):
        raise InputError(
            f"{folder}: expected a folder for the record of a load, found {taken} in it, which is of no record and "
            "would be replaced; name another"
        )
    return others


def finish(record: RecordWriter, scenario: Scenario, recorded: Recorded, report: Report, result: bytes) -> None:
    """End the record with verdicts, generators, and the result. Raises SeatrialError where there is no room."""
    record.add_files({**generator_file(recorded), RESULT: result})
    record.adopt_files()
    for entry in entries(scenario, report):
        record.add_entry(entry)
    record.finish(report.exit_status)
