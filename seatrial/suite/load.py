"""The record of one load: begun before anything is sent, and ended with each objective's verdict."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seatrial.errors import InputError
from seatrial.loads.locust_run import Recorded, refuse_without_room
from seatrial.loads.scenario import Scenario
from seatrial.loads.summary import Report
from seatrial.record import RecordWriter, RunHeader, RunRecord, utc_now
from seatrial.record.files import MANIFEST, read_manifest
from seatrial.record.layout import RESULT
from seatrial.record.loads import files_of, generator_file, scenario_text
from seatrial.suite.objectives import entries


@contextmanager
def load_record(
    folder: Path, run_id: str, scenario: Scenario, locust_file: Path, host: str, sent_from: str
) -> Iterator[RecordWriter]:
    """The record of a load that is about to be sent; `sent_from` is a cluster's name, or this machine.

    Where it is left by an exception, it says so and why, and has what was recorded until then. Raises InputError for a
    folder that holds another kind of record, InvalidMeasurement where there is no room.
    """
    clear_record(folder)
    refuse_without_room(folder)
    header = RunHeader(
        run_id=run_id, started=utc_now(), seatrial=importlib.metadata.version("seatrial"), cluster=sent_from,
        versions={
            "python": platform.python_version(),
            "platform": f"{sys.platform} {platform.release()} {platform.machine()}",
            **{name: importlib.metadata.version(name) for name in ("locust", "numpy", "scipy")},
        },
        arguments=tuple(sys.argv[1:]), kind="load", host=host, question=scenario.question,
        scenario=scenario_text(scenario),
    )  # fmt: skip
    record = RecordWriter.begin(folder, header)
    try:
        record.add_files(files_of(scenario, locust_file))
        yield record
    except BaseException as stopped:
        record.adopt_files()
        record.interrupt(f"{type(stopped).__name__}: {stopped}".removesuffix(": "))
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


def finish(record: RecordWriter, scenario: Scenario, recorded: Recorded, report: Report, result: bytes) -> None:
    """End the record with verdicts, generators, and the result. Raises SeatrialError where there is no room."""
    record.add_files({**generator_file(recorded), RESULT: result})
    record.adopt_files()
    for entry in entries(scenario, report):
        record.add_entry(entry)
    record.finish(report.exit_status)
