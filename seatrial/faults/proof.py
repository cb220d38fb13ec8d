"""What it takes to believe a check: it was seen to fail, in several ways, and decides nothing without its stimulus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from seatrial.faults.row import Row
from seatrial.suite.check import Check

FAULTS_WANTED = 3  # of differing kind


def unproven(checks: Mapping[str, Check], rows: Iterable[Row]) -> list[str]:
    """What each check that MUST hold lacks of an ablation and FAULTS_WANTED faults in these rows, a sentence each."""
    breaking: dict[str, set[str]] = {id: set() for id in checks}
    for row in rows:
        if row.kind in ("fault", "chart"):
            for id in set(row.checks) & set(checks):
                breaking[id].add(row.id)
    return [
        f"{check.source}: expected an ablation and {FAULTS_WANTED} faults for {id}, which MUST hold, "
        f"found {'one' if check.ablations else 'none'} and {len(breaking[id])}; add what is missing"
        for id, check in checks.items()
        if check.level == "MUST" and (len(breaking[id]) < FAULTS_WANTED or not check.ablations)
    ]
