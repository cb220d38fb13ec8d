"""`seatrial clean`: remove whatever runs left behind on a cluster."""

from __future__ import annotations

import time
from pathlib import Path

import click

from seatrial.cli._clusters import chosen_cluster, cluster_option, context_option, kubeconfig_option
from seatrial.clusters.local.cluster import remove_leftovers
from seatrial.trials.context import RUN_LABEL
from seatrial.trials.sandbox.nodes import reopen
from seatrial.watch.api import Api

GONE_WITHIN_S = 120.0


@click.command(epilog="Example: seatrial clean --cluster kind")
@cluster_option("local", "kind", "existing")
@kubeconfig_option
@context_option
def clean(cluster_name: str, kubeconfig: Path | None, context: str | None) -> int:
    """Delete the namespaces that Seatrial made, and open nodes it closed; on local, folders of clusters that ended."""
    cluster = chosen_cluster(cluster_name, kubeconfig, context)
    if cluster_name == "local":
        removed = remove_leftovers()
        click.echo(f"removed {len(removed)} folders of local clusters that have ended")
        return 0
    cluster.up()
    api = Api.connect(cluster.kubeconfig(), cluster.context)
    if cluster.is_ours and (nodes := reopen(api)):
        click.echo(f"opened {len(nodes)} nodes that were left cordoned: {', '.join(nodes)}")
    names = labelled(api)
    for name in names:
        api.delete(f"/api/v1/namespaces/{name}")
    deadline = time.monotonic() + GONE_WITHIN_S
    while (left := labelled(api)) and time.monotonic() < deadline:
        time.sleep(0.5)
    click.echo(f"deleted {len(names) - len(left)} namespaces" + (f"; still going: {', '.join(left)}" if left else ""))
    return 2 if left else 0


def labelled(api: Api) -> list[str]:
    """The names of the namespaces that carry a run's label."""
    found = api.get("/api/v1/namespaces", labelSelector=RUN_LABEL)
    return [str(item["metadata"]["name"]) for item in found["items"]]
