"""`seatrial up`: bring a cluster up and keep it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from seatrial.cli._clusters import chosen_cluster, cluster_options


@click.command(epilog="Example: seatrial up --cluster local")
@cluster_options
def up(
    cluster_name: str, kubeconfig: Path | None, context: str | None, registry: str | None, processes: tuple[str, ...]
) -> int:
    """Bring up a cluster and print its kubeconfig; a local one lives until Ctrl-C, a kind one until `seatrial down`."""
    cluster = chosen_cluster(cluster_name, kubeconfig, context, registry, processes)
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
