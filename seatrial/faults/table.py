"""What is told of a matrix: its exit status, and the table."""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.faults.running import GOOD, Cell

KINDS = {"fault": "server faults", "chart": "chart mutants", "odd": "odd variants", "ablation": "ablations"}


def verdict_of(cells: Iterable[Cell]) -> int:
    """Exit status of a matrix: 0 all as they must be, 1 a cell is not, 2 nothing ran."""
    results = [cell.result for cell in cells]
    if not results:
        return 2
    return 0 if all(result in GOOD for result in results) else 1


def as_markdown(cells: list[Cell]) -> str:
    """The matrix as a table, and its sums."""
    good = sum(cell.result in GOOD for cell in cells)
    by_kind = ", ".join(f"{sum(cell.kind == kind for cell in cells)} {name}" for kind, name in KINDS.items())
    lines = [
        f"{good} of {len(cells)} cells as they must be: {by_kind}.",
        "",
        "| planted | check | result | verdict | what decided it | s | also failed |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for cell in cells:
        found = cell.found.replace("|", "\\|").replace("\n", " ")[:160]
        lines.append(
            f"| `{cell.row}` | {cell.check} | {cell.result} | {cell.outcome} | {found} | {cell.took_s:.0f} "
            f"| {' '.join(cell.collateral)} |"
        )
    return "\n".join(lines) + "\n"
