"""The cluster options that several commands share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import click

from seatrial.clusters.base import Cluster
from seatrial.clusters.recipe import split_reference
from seatrial.errors import InputError


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--cluster, --kubeconfig, --context, --registry, --process."""
    for option in (
        click.option("--process", "processes", multiple=True, metavar="IMAGE=COMMAND",
                     help="local: the command that stands for an image; may be given again."),
        click.option("--registry", metavar="PREFIX", help="existing: nodes pull Seatrial's own images from PREFIX."),
        click.option("--context", help="existing: which context of the kubeconfig."),
        click.option("--kubeconfig", type=click.Path(path_type=Path), help="existing, kind: the kubeconfig file."),
        click.option("--cluster", "cluster_name", default="local", show_default=True,
                     type=click.Choice(["local", "kind", "existing"]), help="The cluster to use."),
    ):  # fmt: skip
        command = option(command)
    return command


TAKES = {"local": {"--process"}, "kind": {"--kubeconfig"}, "existing": {"--kubeconfig", "--context", "--registry"}}


def chosen_cluster(
    name: str, kubeconfig: Path | None, context: str | None, registry: str | None, processes: tuple[str, ...]
) -> Cluster:
    """The cluster that the options name. Raises InputError for options that do not fit it."""
    given = {"--kubeconfig": kubeconfig, "--context": context, "--registry": registry, "--process": processes}
    for option, value in given.items():
        if value and option not in TAKES[name]:
            fitting = " or ".join(f"--cluster {other}" for other in TAKES if option in TAKES[other])
            raise InputError(
                f"{option}: expected {fitting} with it, found --cluster {name}, which does not take it; "
                "leave it out, or name that cluster"
            )
    if name == "kind":
        from seatrial.clusters.kind import KindCluster

        return KindCluster(kubeconfig=kubeconfig)
    if name == "existing":
        from seatrial.clusters.existing import ExistingCluster

        if kubeconfig is None:
            raise InputError(
                "--cluster existing: expected --kubeconfig FILE, found none; name the cluster's kubeconfig"
            )
        return ExistingCluster(kubeconfig=kubeconfig, context=context, registry=registry)
    from seatrial.clusters.local.cluster import LocalCluster

    return LocalCluster(processes=processes)


def refuse_unused(processes: Sequence[str], images: Sequence[str]) -> None:
    """Raises InputError for a --process that stands for none of the chart's images: the chart would run without it."""
    repositories = dict.fromkeys(split_reference(image)[0] for image in images)
    for entry in processes:
        given = split_reference(entry.partition("=")[0])[0]
        if given and given not in repositories:
            near = sorted(repositories, key=lambda name: SequenceMatcher(None, given, name).ratio(), reverse=True)
            raise InputError(
                f"--process {entry!r}: expected an image of the chart before the =, found {given}; "
                f"the chart has {', '.join(near) or 'none'}; correct it"
            )


def writable(option: str, file: Path | None, *, folder: bool = False) -> None:
    """Raises InputError where `file` (or folder) cannot be written: told before a run, not after it."""
    if file is None:
        return
    try:
        (file if folder else file.parent).mkdir(parents=True, exist_ok=True)
        if folder:
            with tempfile.TemporaryFile(dir=file):
                return
        with file.open("ab"):
            return
    except OSError as refused:
        what = "a folder" if folder else "a file"
        raise InputError(
            f"{option} {file}: expected {what} that can be written, found {refused.strerror}; name another"
        ) from None
