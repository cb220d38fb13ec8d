"""`seatrial doctor`: what this machine offers, what is missing, and how to get it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import click

from seatrial.clusters.local import isolation_offered
from seatrial.programs import on_path

Need = Literal["local", "kind", "reference", "reports"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that some part of Seatrial needs."""

    needed_for: Need
    what: str
    found: str  # "" when it is missing, or is there and cannot run
    do: str
    broken: bool = False  # it is there, and cannot run


def findings() -> Iterator[Finding]:
    """Everything looked at, in the order of what a user tries first."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "local", "Python 3.11 or newer", version if sys.version_info >= (3, 11) else "", "install Python 3.11"
    )
    yield Finding(
        "local", "Linux", sys.platform if sys.platform == "linux" else "", "run on Linux, or in a Linux machine"
    )
    cores = os.cpu_count() or 1
    yield Finding(
        "local", "two cores", str(cores) if cores >= 2 else "", "a run on one core is inconclusive more often"
    )
    yield Finding("local", "Helm", _helm(), "pip install helm-python-sdk, or put helm on PATH")
    yield Finding(
        "local",
        "isolation of containers",
        isolation_offered(),
        "containers run without namespaces; some checks are inconclusive",
    )
    for module in ("onnxruntime", "tokenizers", "starlette", "uvicorn"):
        found = module if importlib.util.find_spec(module) else ""
        yield Finding("reference", f"Python package {module}", found, "pip install 'seatrial[reference]'")
    for program, how in (
        ("docker", "install a Docker engine"),
        ("kind", "install kind: https://kind.sigs.k8s.io"),
        ("kubectl", "install kubectl: https://kubernetes.io/docs/tasks/tools/"),
    ):
        there = on_path(program)
        mend = f"{there.found}; mend it, or {how}" if there.broken else how
        yield Finding("kind", f"program {program}", str(there.path) if there.runs else "", mend, bool(there.broken))
    yield Finding("kind", "a Docker engine that answers", _engine(), "start the Docker engine")
    found = "pytest-kind" if importlib.util.find_spec("pytest_kind") else ""
    yield Finding(
        "kind", "Python package pytest-kind", found, "pip install 'seatrial[kind]' to let Seatrial create clusters"
    )


def _helm() -> str:
    """The program where it runs, else the package; with what is wrong with the program."""
    program = on_path("helm")
    if program.runs:
        return str(program.path)
    package = "helm-python-sdk" if importlib.util.find_spec("helm_python") else ""
    return f"{package} in place of {program.found}" if package and program.broken else package


def _engine() -> str:
    docker = on_path("docker")
    if not docker.runs:
        return ""
    command = [str(docker.path), "info", "--format", "{{.ServerVersion}}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


@click.command(epilog="Example: seatrial doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def doctor(as_json: bool) -> int:
    """List what is there and what is missing, and how to get it; exit status 0 when the local cluster can run."""
    found = list(findings())
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=1))
    else:
        for each in found:
            word, colour = ("ok", "green") if each.found else ("broken" if each.broken else "missing", "yellow")
            mark = click.style(f"{word:7}", fg=colour)
            click.echo(f"{mark} {each.needed_for:10} {each.what}: {each.found or each.do}")
    return 0 if all(each.found for each in found if each.needed_for == "local" and each.what != "two cores") else 2
