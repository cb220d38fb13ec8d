"""The cluster options that several commands share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from seatrial.clusters.base import Cluster
from seatrial.clusters.recipe import split_reference
from seatrial.errors import InputError

Command = Callable[..., Any]

kubeconfig_option = click.option(
    "--kubeconfig", type=click.Path(path_type=Path), help="existing, kind: the kubeconfig file."
)
context_option = click.option("--context", help="existing: which context of the kubeconfig.")
registry_option = click.option(
    "--registry", metavar="PREFIX", help="existing: nodes pull Seatrial's own images from PREFIX."
)
process_option = click.option(
    "--process",
    "processes",
    multiple=True,
    metavar="IMAGE=COMMAND",
    help="local: the command that stands for an image; may be given again.",
)


def cluster_option(*names: str) -> Callable[[Command], Command]:
    """--cluster, which may be one of these; local where it is one of them and none is given."""
    default = "local" if "local" in names else None
    return click.option(
        "--cluster",
        "cluster_name",
        default=default,
        show_default=default is not None,
        type=click.Choice(names),
        help="The cluster to use.",
    )


def trial_options(command: Command) -> Command:
    """--cluster, --kubeconfig, --context, --registry, --process: for what puts a chart on trial."""
    anywhere = cluster_option("local", "kind", "existing")
    for option in (process_option, registry_option, context_option, kubeconfig_option, anywhere):
        command = option(command)
    return command


TAKES = {"local": {"--process"}, "kind": {"--kubeconfig"}, "existing": {"--kubeconfig", "--context", "--registry"}}


def chosen_cluster(
    name: str,
    kubeconfig: Path | None = None,
    context: str | None = None,
    registry: str | None = None,
    processes: tuple[str, ...] = (),
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


def refuse_others(meaning: Collection[str], *, expected: str, found: str) -> None:
    """Raises InputError for an option of this command line that means nothing, given what was `found`.

    `meaning` are the names of the parameters that mean something; the others would need what is `expected`.
    """
    command = click.get_current_context()
    for parameter in command.command.params:
        given = command.get_parameter_source(parameter.name or "") == ParameterSource.COMMANDLINE
        if given and parameter.name not in meaning:
            raise InputError(f"{parameter.opts[0]}: expected {expected}, found {found}; leave it out")


def refuse_unused(processes: Sequence[str], images: Sequence[str]) -> None:
    """Raises InputError for a --process that stands for none of the chart's images: the chart would run without it."""
    repositories = dict.fromkeys(split_reference(image)[0] for image in images)
    for entry in processes:
        given = split_reference(entry.partition("=")[0].strip().partition(" ")[0])[0]
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
