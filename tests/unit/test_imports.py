"""Imports point one way: cli, then suite and reporting, then trials, then what trials use, then plain values."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from seatrial.suite.registry import load_checks

REPOSITORY = Path(__file__).parents[2]
LAYERS = (
    (
        "errors",
        "documents",
        "explain",
        "clock",
        "lifetime",
        "programs",
        "contract",
        "ledger",
        "observation",
        "verdict",
        "stats",
        "content",
    ),
    (
        "traffic",
        "watch",
        "charts",
        "chart_values",
        "helm",
        "helm_calls",
        "helm_worker",
        "clusters",
        "images",
        "dependencies",
    ),
    ("trials",),
    ("loads",),
    ("record", "suite", "reporting", "faults"),
    ("cli",),
)
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
SOURCES = sorted((REPOSITORY / "seatrial").rglob("*.py"))


def part_of(file: Path) -> str:
    return file.relative_to(REPOSITORY / "seatrial").parts[0].removesuffix(".py")


@cache
def imported(file: Path) -> set[str]:
    """The modules that a file imports at run time, dotted."""
    found: set[str] = set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    skipped = {id(inner) for node in for_types for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports relatively"
            found |= (
                {f"{node.module}.{alias.name}" for alias in node.names}
                if node.module == "seatrial"
                else {str(node.module)}
            )
    return found


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_a_module_imports_only_from_its_own_layer_or_below(file):
    here = part_of(file)
    if here == "__init__":
        assert not imported(file)
        return
    assert here in RANK, f"{file}: name the layer of {here} in LAYERS"
    upwards = [
        name
        for name in imported(file)
        if name.split(".")[0] == "seatrial" and len(name.split(".")) > 1 and RANK[name.split(".")[1]] > RANK[here]
    ]
    assert not upwards


def test_packages_do_not_import_one_another_in_circles():
    """What a package imports never imports it back."""
    uses: dict[str, set[str]] = {part: set() for part in RANK}
    for file in SOURCES:
        if part_of(file) in uses:
            named = {name.split(".")[1] for name in imported(file) if name.startswith("seatrial.")}
            uses[part_of(file)] |= named - {part_of(file)}
    assert not [(one, other) for one in uses for other in uses[one] if one in uses[other]]


def test_the_engine_imports_nothing_of_its_content():
    content = {folder.name for folder in REPOSITORY.iterdir() if folder.is_dir()} - {"seatrial"}
    for file in SOURCES:
        assert not {name.split(".")[0] for name in imported(file)} & content, file


@pytest.mark.parametrize("file", sorted((REPOSITORY / "conformance").rglob("*.py")), ids=lambda file: file.stem)
def test_a_check_imports_only_what_a_users_own_could(file):
    """Values, verdicts, statistics, what trials observe, and facts read from the watch; no cluster."""
    allowed = (
        "contract",
        "ledger",
        "observation",
        "verdict",
        "stats",
        "suite",
        "trials",
        "watch",
        "errors",
        "clock",
        "traffic",
    )
    for name in imported(file):
        top, _, rest = name.partition(".")
        assert top != "conformance"
        assert top != "seatrial" or rest.split(".")[0] in allowed, name
        assert top in ("seatrial", "numpy", "math", "json", "collections", "dataclasses", "itertools", "typing"), name


def test_the_engine_knows_no_check_and_no_chart_by_name():
    """What is found by path is not named in the engine: the next check, and the next chart, is one more file."""
    ids = "|".join(load_checks(REPOSITORY / "conformance"))
    charts = "|".join(file.parent.name for file in (REPOSITORY / "charts").glob("*/contract.yaml"))
    named = re.compile(rf"\b({ids})\b|{charts}|openmed")
    found = [f"{file}: {word[0]}" for file in SOURCES if (word := named.search(file.read_text(encoding="utf-8")))]
    assert not found
