"""`seatrial load`: one scenario, its objectives answered."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import orjson

from seatrial.cli._clusters import (
    chosen_cluster,
    cluster_option,
    context_option,
    kubeconfig_option,
    registry_option,
    writable,
)
from seatrial.clusters.base import Cluster
from seatrial.errors import InputError, why_stopped
from seatrial.loads.bundle import bundle
from seatrial.loads.cases import cases_of
from seatrial.loads.locust_run import Recorded, loadtest_file, refuse_unreachable, run_locust
from seatrial.loads.pods import ROOT, load_pods
from seatrial.loads.scenario import MOST_WORKERS, Scenario, read_scenario, refuse_too_fast, service
from seatrial.loads.summary import Report
from seatrial.loads.underway import Underway
from seatrial.loads.workers import ThisMachine, run_workers
from seatrial.record import RunRecord, new_run_id
from seatrial.record.loads import recorded_so_far
from seatrial.reporting.load import lines
from seatrial.suite.load import finish, load_record
from seatrial.suite.objectives import reported
from seatrial.trials.context import Say

SCHEMA = "seatrial.load/v1"
WEB_PORT = 8089
HEADLESS = ["--headless", "--only-summary"]


@click.command(epilog="Example: seatrial load SCENARIO --host http://127.0.0.1:8080")
@click.argument("scenario_file", metavar="SCENARIO", type=click.Path(path_type=Path))
@click.option("--host", help="Where the service listens; default: the scenario's.")
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    show_default=True,
    help="Locust workers that share the load.",
)
@click.option("--in-cluster", is_flag=True, help="Send from pods of the cluster that --cluster names.")
@cluster_option("kind", "existing")
@kubeconfig_option
@context_option
@registry_option
@click.option(
    "--env", "environment", multiple=True, metavar="NAME", help="A variable that the pods get, too; may be given again."
)
@click.option("--web", is_flag=True, help="Show Locust's page; it stays open until Ctrl-C.")
@click.option("--web-port", type=click.IntRange(1, 65535), help=f"Of that page, on 127.0.0.1; default: {WEB_PORT}.")
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="The folder that keeps records.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Keep the record in exactly this folder.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def load(
    scenario_file: Path,
    host: str | None,
    workers: int,
    in_cluster: bool,
    cluster_name: str | None,
    kubeconfig: Path | None,
    context: str | None,
    registry: str | None,
    environment: tuple[str, ...],
    web: bool,
    web_port: int | None,
    runs: Path,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Decide whether a service keeps the objectives of SCENARIO under its load.

    Exit status: 0 all objectives held, 1 one was missed, 2 the run is invalid, too short to tell, has no objectives,
    saw nothing good, or the service is not reached, 3 bad scenario.
    """
    scenario = read_scenario(scenario_file)
    order = Order(scenario_file, scenario, loadtest_file(scenario_file, scenario), host or scenario.host or "", workers)
    if scenario.contract is not None:
        cases_of(Path(scenario.contract), scenario.api)  # one that cannot be asked is refused before anything is sent
    if not order.host:
        raise InputError(f"{scenario_file}, host: expected a URL here or with --host, found none; give one")
    service(order.host)  # a wrong one is refused before anything is brought up
    refuse_too_fast(scenario_file, scenario, workers)
    writable("--out" if out else "--runs", out or runs, folder=True)
    refuse_combination(in_cluster, cluster_name, web, kubeconfig, context, registry, *environment)
    handed_on = values_of(environment)
    page_port = page_of(web, web_port)

    def say(text: str) -> None:
        if not quiet:
            click.echo(f"{scenario_file.name}: {text}", err=True)

    cluster = chosen_cluster(cluster_name, kubeconfig, context, registry) if cluster_name else None
    if cluster is None:
        refuse_unreachable(order.host)
    run_id = new_run_id()
    folder = out or runs / run_id
    sent_from = cluster.name if cluster else "this machine"
    with (
        load_record(folder, run_id, scenario, order.locust_file, order.host, sent_from) as record,
        result_of_load(record, as_json=as_json),
    ):
        if cluster:
            recorded = carried_by_pods(order, cluster, handed_on, folder, say)
        else:
            recorded = carried_here(order, folder, page_port, say)
        report = reported(scenario, recorded)
        document = as_document(scenario, report, recorded)
        said = [*lines(scenario, report, recorded.workers), f"record    {folder}"]
        click.echo(document if as_json else "\n".join(said))
        finish(record, scenario, recorded, report, document)
    return report.exit_status


@contextmanager
def result_of_load(record: RunRecord, *, as_json: bool) -> Iterator[None]:
    """What a load that is stopped or refused has to say on stdout; one that ends says it itself."""
    try:
        yield
    except BaseException as stopped:
        refused = isinstance(stopped, InputError)
        told = {
            "schema": SCHEMA,
            "outcome": "refused" if refused else "unfinished",
            "reason": why_stopped(stopped),
            "recorded": recorded_so_far(record),
            "record": str(record.folder),
        }
        if as_json:
            click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
        elif not refused:
            click.echo(f"outcome   {told['outcome']}: {told['reason']}. {told['recorded']}.\nrecord    {record.folder}")
        raise


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be carried out."""

    scenario_file: Path
    scenario: Scenario
    locust_file: Path
    host: str
    workers: int

    @property
    def words(self) -> str:
        """What begins."""
        return f"{self.scenario.duration_s:g} s of load on {self.host}"

    def told(self, folder: Path, say: Say) -> Callable[[], None]:
        """What says, called again and again, where the load is whose record is in `folder`."""
        return Underway(self.scenario, folder, say).look


def carried_here(order: Order, folder: Path, web_port: int | None, say: Say) -> Recorded:
    """By processes of this machine, with Locust's page on a port of 127.0.0.1 where one is given."""
    by = f" by {order.workers} workers" if order.workers > 1 else ""
    page = f"; page http://127.0.0.1:{web_port}, Ctrl-C ends" if web_port else ""
    say(f"{order.words}{by}{page}; record {folder}")
    look = order.told(folder, say)
    options = ["--web-host", "127.0.0.1", "--web-port", str(web_port), "--autostart"] if web_port else HEADLESS
    if order.workers == 1:
        return run_locust(order.locust_file, order.scenario_file, order.host, folder, options, look)
    site = ThisMachine(order.locust_file, order.scenario_file, folder)
    return run_workers(order.workers, site, order.locust_file, order.scenario, order.host, folder, options, look)


def carried_by_pods(order: Order, cluster: Cluster, environment: dict[str, str], folder: Path, say: Say) -> Recorded:
    """By pods of a cluster."""
    say(f"bringing up {order.workers + 1} pods on {cluster.name}")
    files = bundle(order.locust_file, order.scenario_file, order.scenario, ROOT)
    with load_pods(cluster, order.workers, files, environment, folder, say) as pods:
        pods.refuse_unreachable(order.host)
        say(f"{order.words} by {order.workers} pods; record {folder}")
        look = order.told(folder, say)
        return run_workers(order.workers, pods, order.locust_file, order.scenario, order.host, folder, HEADLESS, look)


def refuse_combination(in_cluster: bool, cluster_name: str | None, web: bool, *of_clusters: object) -> None:
    """Raises InputError for options that do not go together; `of_clusters` are values of those of a cluster's pods."""
    if in_cluster and cluster_name is None:
        raise InputError("--in-cluster: expected --cluster kind or --cluster existing, found neither; name the cluster")
    if in_cluster and web:
        raise InputError(
            "--web: expected a load that this machine carries, found --in-cluster, whose page nobody could reach; "
            "leave one of them out"
        )
    if not in_cluster and (cluster_name or any(of_clusters)):
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


def page_of(web: bool, port: int | None) -> int | None:
    """The port of Locust's page, if there is to be one.

    Raises InputError for a port without a page, and where another program has it: the load would run without its page.
    """
    if not web:
        if port is not None:
            raise InputError(f"--web-port {port}: expected --web with it, found none; give it, or leave the port out")
        return None
    web_port = port or WEB_PORT
    with socket.socket() as page:
        page.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            page.bind(("127.0.0.1", web_port))
        except OSError as refused:
            raise InputError(
                f"--web-port {web_port}: expected a free port of 127.0.0.1, found {refused.strerror}; name another"
            ) from None
    return web_port


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
            "answers": [
                {
                    name: getattr(answer, name)
                    for name in ("stage", "objective", "found", "outcome", "requests", "effective_n", "needed")
                }
                for answer in report.answers
            ],
        },
        option=orjson.OPT_INDENT_2,
    )
