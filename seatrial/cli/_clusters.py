"""The cluster options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from seatrial.clusters.base import Cluster
from seatrial.errors import InputError


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--cluster, --kubeconfig, --context, --process."""
    for option in (
        click.option("--process", "processes", multiple=True, metavar="IMAGE=COMMAND", help="local: how it runs."),
        click.option("--context", help="existing: the context in the kubeconfig."),
        click.option("--kubeconfig", type=click.Path(path_type=Path), help="existing, kind: the kubeconfig file."),
        click.option("--cluster", "cluster_name", default="local", show_default=True,
                     type=click.Choice(["local", "kind", "existing"]), help="Where the trials run."),
    ):  # fmt: skip
        command = option(command)
    return command


def chosen_cluster(name: str, kubeconfig: Path | None, context: str | None, processes: tuple[str, ...]) -> Cluster:
    """The cluster that the options name. Raises InputError for options that do not fit it."""
    if name == "kind":
        from seatrial.clusters.kind import KindCluster

        return KindCluster(kubeconfig=kubeconfig)
    if name == "existing":
        from seatrial.clusters.existing import ExistingCluster

        if kubeconfig is None:
            raise InputError(
                "--cluster existing: expected --kubeconfig FILE, found none; name the cluster's kubeconfig"
            )
        return ExistingCluster(kubeconfig=kubeconfig, context=context)
    from seatrial.clusters.local.cluster import LocalCluster

    return LocalCluster(processes=processes)
