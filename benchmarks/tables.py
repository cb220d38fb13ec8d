"""What benchmarks say in the end: tables of figures over rounds, and the machine that they were measured on."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path


def rows(header: Sequence[str], values: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    for line in (header, ["---"] * len(header), *values):
        print("| " + " | ".join(str(value) for value in line) + " |")


def of_rounds(figures: Sequence[str], rounds: Sequence[Mapping[str, float]]) -> None:
    """Print the median of each figure, and what it was in each round."""
    found = {name: [each[name] for each in rounds] for name in figures}
    rows(
        ("figure", "median", "of rounds"),
        [
            (name, f"{statistics.median(values):.4g}", ", ".join(f"{value:.4g}" for value in values))
            for name, values in found.items()
        ],
    )


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    said = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in said if line.startswith("model name")]
    return {
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "cpu": models[0] if models else platform.machine(),
    }
