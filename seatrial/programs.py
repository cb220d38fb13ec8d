"""Programs on PATH that other people made. One that lies there need not run.

A wrapper whose program is gone, a link to another machine's folder or a file for another processor is found, and ends
with 127 or is not started. Whoever may use a program asks here, and hears why it is as good as missing.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ANSWERS_WITHIN_S = 20.0

# What each is asked for its version with, without asking a cluster or an engine.
_VERSION = {
    "helm": ("version", "--template", "{{ .Version }}"),
    "kind": ("version",),
    "kubectl": ("version", "--client"),
}


@dataclass(frozen=True, slots=True)
class Program:
    """A program by its name: where it lies (None: nowhere on PATH), and why it cannot run ("" where it can)."""

    name: str
    path: Path | None
    broken: str

    @property
    def runs(self) -> bool:
        """Whether it can be used."""
        return self.path is not None and not self.broken

    @property
    def found(self) -> str:
        """What was found on PATH, as a message says it: `none`, or where one lies and why it cannot run."""
        if self.path is None:
            return "none"
        return f"{self.path}, which cannot run ({self.broken})" if self.broken else str(self.path)


def on_path(name: str) -> Program:
    """What PATH has by this name."""
    path = shutil.which(name)
    return Program(name, Path(path), _why_not(name, path)) if path else Program(name, None, "")


@functools.cache
def _why_not(name: str, path: str) -> str:
    command = [path, *_VERSION.get(name, ("--version",))]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=ANSWERS_WITHIN_S,
        )
    except subprocess.TimeoutExpired:
        return f"no version within {ANSWERS_WITHIN_S:g} s"
    except OSError as refused:
        return refused.strerror or str(refused)
    if not done.returncode:
        return ""
    said = done.stderr.strip().splitlines()
    return f"exit status {done.returncode}{f': {said[-1].strip()}' if said else ''}"
