"""`seatrial lint`: what can be said of a contract and its chart without a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from seatrial.cli._folders import own_checks
from seatrial.content import content
from seatrial.errors import InputError
from seatrial.suite.lint import remarks
from seatrial.suite.registry import load_checks
from seatrial.suite.subject import read_subject

COLOURS = {"error": "red", "warning": "yellow", "note": None}


@click.command(epilog="Example: seatrial lint CHART && seatrial certify CHART")
@click.argument("chart", type=click.Path(path_type=Path))
@own_checks
def lint(chart: Path, folders: tuple[Path, ...]) -> int:
    """Say all that can be said of CHART and its contract before anything is deployed.

    Exit status 3 where certify would refuse them, or where Helm's lint finds an error; else 0.
    """
    subject = read_subject(chart)
    checks = load_checks(content("conformance"), *folders)
    found = list(remarks(subject, checks))
    for remark in found:
        click.echo(f"{click.style(f'{remark.severity:8}', fg=COLOURS[remark.severity])} {remark.text}")
    applying = [id for id, check in checks.items() if not check.unmade(subject.contract)]
    click.echo(f"{subject.file} and {subject.chart.name} fit each other; {len(applying)} of {len(checks)} checks apply")
    return InputError.exit_code if any(remark.severity == "error" for remark in found) else 0
