"""`seatrial load`: one scenario, its objectives answered."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import click
import orjson

from seatrial.cli._clusters import chosen_cluster, cluster_options, writable
from seatrial.errors import InputError
from seatrial.reporting.load import lines
from seatrial.traffic.locust_run import Recorded, loadtest_file, refuse_unreachable, run_locust
from seatrial.traffic.scenario import MOST_WORKERS, Scenario, read_scenario, refuse_too_fast
from seatrial.traffic.schedule import arrivals_kept
from seatrial.traffic.summary import Report, summarise
from seatrial.traffic.workers import ThisMachine, run_workers
from seatrial.trials.load_pods import load_pods

SCHEMA = "seatrial.load/v1"


@click.command(epilog="Example: seatrial load scenarios/openmed-deidentify.yaml --host http://127.0.0.1:8080")
@click.argument("scenario_file", metavar="SCENARIO", type=click.Path(path_type=Path))
@click.option("--host", help="Where the service listens; default: the scenario's.")
@click.option(
    "--workers", type=click.IntRange(1, MOST_WORKERS), default=1, show_default=True, help="To share the load."
)
@click.option("--in-cluster", is_flag=True, help="Carry the load from pods of --cluster; needs --cluster.")
@cluster_options
@click.option("--env", "environment", multiple=True, metavar="NAME", help="A variable that the pods get, too.")
@click.option("--web", is_flag=True, help="With Locust's page; it stays open until Ctrl-C.")
@click.option("--web-port", type=click.IntRange(1, 65535), default=8089, show_default=True, help="On 127.0.0.1.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Keep ledger and result in this folder.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def load(
    scenario_file: Path,
    host: str | None,
    workers: int,
    in_cluster: bool,
    cluster_name: str,
    kubeconfig: Path | None,
    context: str | None,
    registry: str | None,
    processes: tuple[str, ...],
    environment: tuple[str, ...],
    web: bool,
    web_port: int,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Decide whether a service keeps the objectives of SCENARIO under its load.

    Exit status: 0 all objectives held, 1 one was missed, 2 the run is invalid or too short to tell, 3 bad scenario.
    """
    scenario = read_scenario(scenario_file)
    file = loadtest_file(scenario_file, scenario)
    where = host or scenario.host
    if not where:
        raise InputError(f"{scenario_file}, host: expected a URL here or with --host, found none; give one")
    refuse_too_fast(scenario_file, scenario, workers)
    writable("--out", out, folder=True)
    refuse_combination(in_cluster, cluster_name, web, kubeconfig, context, registry, *processes, *environment)
    handed_on = values_of(environment)
    if web:
        refuse_taken(web_port)
    if not in_cluster:
        refuse_unreachable(where)
    options = ["--headless", "--only-summary"]
    if web:
        options = ["--web-host", "127.0.0.1", "--web-port", str(web_port), "--autostart"]

    def say(text: str) -> None:
        if not quiet:
            click.echo(f"{scenario_file.name}: {text}", err=True)

    page = f"; page http://127.0.0.1:{web_port}, Ctrl-C ends" if web else ""
    by = f" by {workers} {'pods' if in_cluster else 'workers'}" if workers > 1 or in_cluster else ""
    beginning = f"{scenario.duration_s:g} s of load on {where}{by}{page}"
    with nullcontext(str(out)) if out else tempfile.TemporaryDirectory(prefix="seatrial-load-") as name:
        folder = Path(name)
        if in_cluster:
            cluster = chosen_cluster(cluster_name, kubeconfig, context, registry, processes)
            say(f"bringing up pods on {cluster.name}")
            with load_pods(cluster, workers, (file, scenario_file), scenario, handed_on, folder, say) as pods:
                pods.refuse_unreachable(where)
                say(beginning)
                recorded = run_workers(workers, pods, file, scenario, where, folder, options)
        elif workers > 1:
            say(beginning)
            site = ThisMachine(file, scenario_file, folder)
            recorded = run_workers(workers, site, file, scenario, where, folder, options)
        else:
            say(beginning)
            recorded = run_locust(file, scenario_file, where, folder, options)
    # Of a part of the schedule, the law of the whole says nothing.
    part = recorded.stopped or recorded.lost
    kept = {} if part else arrivals_kept(scenario, recorded.ledger, recorded.start_s)
    report = summarise(
        scenario, recorded.ledger, recorded.health, recorded.stopped, kept, recorded.lost, max(1, len(recorded.workers))
    )
    document = as_document(scenario, report, recorded)
    if out:
        (out / "result.json").write_bytes(document)
    click.echo(document if as_json else "\n".join(lines(scenario, report, recorded.workers)))
    return report.exit_status


def refuse_combination(in_cluster: bool, cluster_name: str, web: bool, *of_clusters: object) -> None:
    """Raises InputError for options that do not go together; `of_clusters` are values of those of a cluster's pods."""
    if in_cluster and cluster_name == "local":
        raise InputError("--in-cluster: expected --cluster kind or --cluster existing, found neither; name the cluster")
    if in_cluster and web:
        raise InputError(
            "--web: expected a load that this machine carries, found --in-cluster, whose page nobody could reach; "
            "leave one of them out"
        )
    if not in_cluster and (cluster_name != "local" or any(of_clusters)):
        raise InputError(
            "--in-cluster: expected it with options that name a cluster or what its pods get, found none; "
            "give it, or leave them out for a load from this machine"
        )


def values_of(names: Sequence[str]) -> dict[str, str]:
    """Variables of our own environment. Raises InputError for one that is not set."""
    for name in names:
        if name not in os.environ:
            raise InputError(f"--env {name}: expected a variable of this environment, found it is not set; set it")
    return {name: os.environ[name] for name in names}


def refuse_taken(web_port: int) -> None:
    """Raises InputError where another program has the port already: the load would run without its page."""
    with socket.socket() as page:
        page.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            page.bind(("127.0.0.1", web_port))
        except OSError as refused:
            raise InputError(
                f"--web-port {web_port}: expected a free port of 127.0.0.1, found {refused.strerror}; name another"
            ) from None


def as_document(scenario: Scenario, report: Report, recorded: Recorded) -> bytes:
    """The report as JSON, with the scenario that asked for it and the generator's own health."""
    return orjson.dumps(
        {
            "schema": SCHEMA,
            "outcome": report.outcome,
            "scenario": scenario.model_dump(),
            "generator": asdict(recorded.health),
            "workers": [asdict(worker) for worker in recorded.workers],
            **asdict(report),
        },
        option=orjson.OPT_INDENT_2,
    )
