"""`seatrial report`: the record of a run as a page, as Markdown, as JUnit XML, or as text."""

from __future__ import annotations

from pathlib import Path

import click

from seatrial.errors import InputError
from seatrial.record import RunRecord
from seatrial.reporting.junit import junit_xml
from seatrial.reporting.model import read_report
from seatrial.reporting.pages import html_page, markdown_text
from seatrial.reporting.terminal import as_text


@click.command(epilog="Example: seatrial report runs/20260101-120000-a1b2 --html report.html --junit junit.xml")
@click.argument("record", type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="One page that needs no other file.")
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="FILE", help="JUnit XML, one test case for each check."
)
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Markdown, for a pull request.")
def report(record: Path, html: Path | None, junit: Path | None, markdown: Path | None) -> None:
    """Write reports of the run recorded in RECORD; without a file to write, the verdicts as text.

    A report repeats the recorded verdicts; `seatrial verify` judges them again.
    """
    for found in RunRecord.open(record).damage():
        click.echo(f"damaged: {found.file}: {found.what}; `seatrial verify` tells which verdicts lose by it", err=True)
    wanted = [(html, html_page), (junit, junit_xml), (markdown, markdown_text)]
    if not any(file for file, _ in wanted):
        click.echo(as_text(record))
        return
    read = read_report(RunRecord.open(record))
    for file, write in wanted:
        if file:
            _write(file, write(read))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as refused:
        raise InputError(f"{file}: expected a file that can be written, found {refused}; name another") from refused
    click.echo(f"wrote {file}", err=True)
