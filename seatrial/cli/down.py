"""`seatrial down`: delete the kind cluster that `seatrial up` made."""

from __future__ import annotations

import re
import subprocess

import click

from seatrial.errors import ClusterError, InputError
from seatrial.programs import on_path


@click.command(epilog="Example: seatrial down --name seatrial")
@click.option("--name", default="seatrial", show_default=True, help="The kind cluster's name.")
def down(name: str) -> int:
    """Delete the kind cluster NAME. A local cluster ends with the command that started it."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise InputError(f"--name {name!r}: expected the name of a kind cluster, found none; see `kind get clusters`")
    program = on_path("kind")
    if not program.runs:
        raise ClusterError(f"expected `kind` on PATH to delete a cluster, found {program.found}; see `seatrial doctor`")
    kind = str(program.path)
    known = subprocess.run([kind, "get", "clusters"], capture_output=True, text=True, check=False).stdout.split()
    if name not in known:
        click.echo(f"there is no kind cluster {name}")
        return 0
    done = subprocess.run([kind, "delete", "cluster", "--name", name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"expected `kind delete cluster --name {name}` to succeed, found {done.stderr.strip()}")
    click.echo(f"deleted kind cluster {name}")
    return 0
