"""`seatrial faults`: plant every defect there is, and see that the check named for it fails."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import click

from seatrial import faults as matrix
from seatrial.cli._clusters import chosen_cluster, refuse_others, refuse_unused, trial_options, writable
from seatrial.cli._folders import own_checks
from seatrial.cli._reports import write_report, wrote
from seatrial.clock import RunClock
from seatrial.content import content
from seatrial.reporting.text import plural
from seatrial.suite.opening import opened
from seatrial.suite.registry import load_checks
from seatrial.suite.subject import read_subject


@click.command(epilog="Example: seatrial faults CHART --only ID --cluster kind")
@click.argument("chart", type=click.Path(path_type=Path))
@trial_options
@click.option(
    "--only",
    "ids",
    multiple=True,
    metavar="ID",
    help="This row, or all rows of these checks (id, name, group); may be given again.",
)
@own_checks
@click.option("--list", "list_only", is_flag=True, help="Only list what would be planted.")
@click.option("--lanes", type=click.IntRange(1, 16), default=3, show_default=True, help="Rows side by side.")
@click.option("--seed", type=int, default=20240229, show_default=True, help="Decides every schedule and draw.")
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Write the table, as Markdown.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the result of each row."
)
def faults(
    chart: Path,
    cluster_name: str,
    kubeconfig: Path | None,
    context: str | None,
    registry: str | None,
    processes: tuple[str, ...],
    ids: tuple[str, ...],
    folders: tuple[Path, ...],
    list_only: bool,
    lanes: int,
    seed: int,
    markdown: Path | None,
    json_file: Path | None,
) -> int:
    """Decide whether the checks of CHART can be believed.

    Each planted fault is caught by the check named for it, each healthy variant passes, and no check decides anything
    when its stimulus is taken away.
    """
    if list_only:
        refuse_others(("chart", "ids", "folders", "list_only"), expected="rows that are run", found="--list")
    subject = read_subject(chart)
    checks = load_checks(content("conformance"), *folders)
    known = matrix.rows(subject, checks, content("charts") / "mutants")
    for lacking in matrix.unproven(load_checks(*folders), known):
        click.echo(lacking, err=True)
    rows = matrix.chosen(known, ids, checks)
    if list_only:
        for row in rows:
            click.echo(f"{row.kind:8} {row.id:34} {' '.join(row.checks):12} {row.description}")
        return 0
    writable("--markdown", markdown)
    writable("--json", json_file)
    _write([], len(rows), markdown, json_file)
    cluster = chosen_cluster(cluster_name, kubeconfig, context, registry, processes)
    refuse_unused(processes, subject.images)
    cluster.up()
    started = time.monotonic()
    done = 0

    so_far: list[matrix.Cell] = []

    def tell(cells: list[matrix.Cell]) -> None:
        nonlocal done
        done += 1
        so_far.extend(cells)
        _write(so_far, len(rows) - done, markdown, json_file)
        for cell in cells:
            passed_s = int(time.monotonic() - started)
            head = f"{passed_s // 60:3}:{passed_s % 60:02} [{done}/{len(rows)}]"
            colour = "green" if cell.result in matrix.GOOD else "red"
            result = click.style(f"{cell.result:12}", fg=colour)
            click.echo(f"{head} {result} {cell.row:34} {cell.check:4} {cell.outcome}: {cell.found}", err=True)

    try:
        with opened(
            subject.on(cluster),
            cluster,
            clock=RunClock.start(),
            run_id=f"m{int(time.time()) % 100000}",
            seed=seed,
            doing=lambda text: click.echo(text, err=True),
            say=lambda _: None,
        ) as context_of_rows:
            cells = matrix.run_rows(context_of_rows, rows, checks, tell, lanes, folders)
        _write(cells, 0, markdown, json_file)
        click.echo(matrix.as_markdown(cells))
    finally:
        cluster.down()
        wrote(markdown)
        wrote(json_file)
    return matrix.verdict_of(cells)


def _write(cells: list[matrix.Cell], left: int, markdown: Path | None, json_file: Path | None) -> None:
    """What is known so far, from the beginning on: a matrix takes long, and may be stopped with rows `left`."""
    if markdown:
        unfinished = f"Unfinished: {plural(left, 'row')} to come.\n\n" if left else ""
        write_report(markdown, unfinished + matrix.as_markdown(cells))
    if json_file:
        write_report(json_file, json.dumps([asdict(cell) for cell in cells], indent=1))
