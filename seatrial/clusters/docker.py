"""This machine's Docker, which builds the images that kind's nodes run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seatrial.clusters.recipe import Build
from seatrial.content import content
from seatrial.errors import ClusterError, InputError
from seatrial.programs import on_path


def build(image: str, how: Build) -> None:
    """Build `image`; $PYTHON_IMAGE is the base where it is set. Raises InputError without Docker, else ClusterError."""
    if not (docker := on_path("docker")).runs:
        raise InputError(f"{image}: expected `docker` on PATH to build it, found {docker.found}; see `seatrial doctor`")
    command = ["docker", "build", "--quiet", "--network", "host", "--file", str(how.dockerfile), "--tag", image]
    if base := os.environ.get("PYTHON_IMAGE"):
        command += ["--build-arg", f"PYTHON_IMAGE={base}"]
    if how.target:
        command += ["--target", how.target]
    with _context(how) as context:
        done = subprocess.run([*command, str(context)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(
            f"{image}: expected an image, found that its build failed: {' '.join(done.stderr.split())[-800:]}; "
            "mend that; $PYTHON_IMAGE names another base image, where the usual one cannot be pulled"
        )


def has(image: str) -> bool:
    """Whether this machine's Docker has the image; False where no Docker runs."""
    if not on_path("docker").runs:
        return False
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0


@contextmanager
def _context(how: Build) -> Iterator[Path]:
    """The build's context. Only what is included is copied there: Docker sends all of it, virtual environments too."""
    if not how.include:
        yield how.context
        return
    with tempfile.TemporaryDirectory(prefix="seatrial-") as folder:
        sources = {name: how.context / name for name in how.include}
        for name, source in [*sources.items(), *((name, content(name)) for name in how.content)]:
            copy = Path(folder) / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy)
        yield Path(folder)
