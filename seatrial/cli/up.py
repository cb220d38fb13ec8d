"""`seatrial up`: bring a cluster up and keep it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from seatrial.cli._clusters import chosen_cluster, cluster_option, process_option


@click.command(epilog="Example: seatrial up --cluster local")
@cluster_option("local", "kind")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="kind: the kubeconfig file, written if none is.")
@process_option
def up(cluster_name: str, kubeconfig: Path | None, processes: tuple[str, ...]) -> int:
    """Bring up a cluster and print its kubeconfig; a local one lives until Ctrl-C, a kind one until `seatrial down`."""
    cluster = chosen_cluster(cluster_name, kubeconfig, processes=processes)
    cluster.up()
    click.echo(cluster.kubeconfig())
    if cluster_name == "local":
        stopped = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        click.echo("the cluster lives until Ctrl-C", err=True)
        try:
            stopped.wait()
        except KeyboardInterrupt:
            click.echo("ending the cluster", err=True)
        cluster.down()
    return 0
