"""`seatrial certify`: one chart, all checks that its contract makes apply."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from seatrial.cli._clusters import chosen_cluster, refuse_unused, trial_options, writable
from seatrial.cli._folders import own_checks
from seatrial.cli._progress import Narrator, Silence
from seatrial.cli._reports import page_of_run, result_of_run
from seatrial.content import content
from seatrial.record import new_run_id
from seatrial.suite.certify import certify as run_certify
from seatrial.suite.registry import load_checks, selected
from seatrial.suite.subject import read_subject


@click.command(epilog="Example: seatrial certify CHART --json > verdicts.json")
@click.argument("chart", type=click.Path(path_type=Path))
@trial_options
@click.option(
    "--only",
    "ids",
    multiple=True,
    metavar="CHECK",
    help="Judge only these: an id, a name or a group; may be given again.",
)
@own_checks
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="The folder that keeps records.",
)
@click.option("--seed", type=int, default=20240229, show_default=True, help="Decides every schedule and draw.")
@click.option("--lanes", type=click.IntRange(1, 8), help="Trials side by side; default: what suits cluster and cores.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write the report, as one page.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def certify(
    chart: Path,
    cluster_name: str,
    kubeconfig: Path | None,
    context: str | None,
    registry: str | None,
    processes: tuple[str, ...],
    ids: tuple[str, ...],
    folders: tuple[Path, ...],
    runs: Path,
    seed: int,
    lanes: int | None,
    html: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Decide whether the service behind CHART (a chart folder with contract.yaml) keeps its promises."""
    run_id = new_run_id()
    with page_of_run(html, chart, runs / run_id), result_of_run(runs / run_id, as_json=as_json):
        subject = read_subject(chart)
        checks = load_checks(content("conformance"), *folders)
        if ids:
            checks = selected(checks, ids)
        writable("--runs", runs, folder=True)
        cluster = chosen_cluster(cluster_name, kubeconfig, context, registry, processes)
        refuse_unused(processes, subject.images)
        try:
            result = run_certify(
                subject, cluster, checks, Silence() if quiet else Narrator(checks),
                runs=runs, seed=seed, lanes=lanes or default_lanes(cluster_name), arguments=tuple(sys.argv[1:]),
                run_id=run_id, folders=folders,
            )  # fmt: skip
        finally:
            cluster.down()
    return result.exit_status


def default_lanes(cluster_name: str) -> int:
    """One trial whose timings must not be disturbed and one beside it; on `local` a third if there are two cores.

    There the generators have a real-time priority. Pods have none: with two timed trials on nodes that share two
    cores, starts were late by some 30 ms.
    """
    return min(3, 1 + (os.cpu_count() or 1)) if cluster_name == "local" else 2
