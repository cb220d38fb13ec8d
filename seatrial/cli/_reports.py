"""Files that a run leaves beside its record. Each is about this run from its beginning, whatever the run ends with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from seatrial.cli._clusters import writable
from seatrial.errors import InputError, why_stopped
from seatrial.record import RunRecord
from seatrial.record.files import MANIFEST
from seatrial.reporting import terminal
from seatrial.reporting.headline import refused, under_way, unfinished
from seatrial.reporting.model import read_report
from seatrial.reporting.pages import html_page, notice_page


def write_report(file: Path, text: str) -> None:
    """Write a file so that a reader finds the old one or the new one. Raises InputError where it cannot be written."""
    try:
        if file.is_relative_to("/dev") or (file.exists() and not file.is_file()):
            file.write_text(text, encoding="utf-8")  # a pipe, or a terminal
            return
        file = file.resolve()  # what a link leads to is replaced, not the link
        begun = file.with_name(f".{file.name}.tmp")
        try:
            begun.write_text(text, encoding="utf-8")
            os.replace(begun, file)
        except OSError:
            begun.unlink(missing_ok=True)
            raise
    except OSError as failed:
        raise InputError(
            f"{file}: expected a file that can be written, found {failed.strerror or failed}; name another"
        ) from failed


def wrote(file: Path | None) -> None:
    """Says on stderr where a file lies that was asked for; nothing where none was."""
    if file is not None:
        click.echo(f"wrote {file}", err=True)


@contextmanager
def page_of_run(file: Path | None, chart: Path, folder: Path) -> Iterator[None]:
    """The run's page in `file`, if there is one: *unfinished* until the run is left, then what its record says.

    `folder` is where the record of the run will be. Raises InputError where the file cannot be written.
    """
    if file is None:
        yield
        return
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    writable("--html", file)
    write_report(file, notice_page(under_way(), chart, begun, folder))
    try:
        yield
    except BaseException as stopped:
        ended = refused(str(stopped)) if isinstance(stopped, InputError) else unfinished(why_stopped(stopped))
        # A run that was refused at once has no record.
        write_report(file, _page(folder) or notice_page(ended, chart, begun))
        wrote(file)
        raise
    write_report(file, _page(folder))
    wrote(file)


@contextmanager
def result_of_run(folder: Path, *, as_json: bool) -> Iterator[None]:
    """The run's result on stdout when it is left: what its record in `folder` says, whatever it ended with.

    As text, a run that was refused says nothing there: the message on stderr is all there is to tell.
    """
    try:
        yield
    except BaseException as stopped:
        if (folder / MANIFEST).exists():
            if as_json:
                click.echo(terminal.as_json(folder))
            elif not isinstance(stopped, InputError):
                click.echo(terminal.as_text(folder))
        raise
    click.echo(terminal.as_json(folder) if as_json else terminal.as_text(folder))


def _page(folder: Path) -> str:
    """What the record says; "" where there is none."""
    return html_page(read_report(RunRecord.open(folder))) if (folder / MANIFEST).exists() else ""
