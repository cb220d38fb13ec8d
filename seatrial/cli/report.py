"""`seatrial report`: the record of a run as a page, as Markdown, as JUnit XML, or as text."""

from __future__ import annotations

from pathlib import Path

import click

from seatrial.cli._reports import write_report, wrote
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
def report(record: Path, html: Path | None, junit: Path | None, markdown: Path | None) -> int:
    """Write reports of the run recorded in RECORD; without a file to write, the verdicts as text.

    A report repeats the recorded verdicts; `seatrial verify` judges them again.

    Exit status: 0 whatever the verdicts are; 2 where the run did not come to its end; 3 where it was refused, or a
    file is no longer as it was recorded.
    """
    opened = RunRecord.open(record)
    damage = opened.damage()
    for found in damage:
        click.echo(f"damaged: {found.file}: {found.what}; `seatrial verify` tells which verdicts lose by it", err=True)
    wanted = [(html, html_page), (junit, junit_xml), (markdown, markdown_text)]
    if not any(file for file, _ in wanted):
        click.echo(as_text(record))
    else:
        read = read_report(opened)
        for file, write in wanted:
            if file:
                write_report(file, write(read))
                wrote(file)
    if damage:
        return 3
    return 0 if opened.is_whole else opened.exit_status([])
