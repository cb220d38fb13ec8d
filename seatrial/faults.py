"""The kill matrix: every planted defect against the check that must catch it, every oddity against those it must pass.

Rows are found by path: what `python -m faults` lists beside the images, a file each in `charts/mutants`, and the
ablation that each check names. A row runs the trials of its checks in namespaces of its own.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from seatrial.contract import Contract, merged
from seatrial.errors import InputError
from seatrial.observation import Observation
from seatrial.suite.check import Check
from seatrial.suite.registry import load_trials
from seatrial.suite.runner import Suite
from seatrial.trials.context import Injection, Manifest, TrialContext
from seatrial.trials.trial import Trial
from seatrial.verdict import Outcome, Verdict

Kind = Literal["fault", "chart", "odd", "ablation"]
Result = Literal["killed", "SURVIVED", "not fired", "passed", "BROKEN", "ablated", "JUDGED ABLATED"]
FAULTS_WANTED = 3  # of differing kind, for a check that MUST hold
GOOD: frozenset[Result] = frozenset({"killed", "passed", "ablated"})


@dataclass(frozen=True)
class Row:
    """One thing that is planted, and the checks that are to notice it (or, for an oddity, not to)."""

    id: str
    kind: Kind
    checks: tuple[str, ...]
    description: str
    injection: Injection
    server_fault: str = ""  # has to say `fault_fired` in a log of the trial
    contract: Mapping[str, Any] = field(default_factory=dict)  # what a service with it declares, laid over the contract


@dataclass(frozen=True)
class Cell:
    """What one check said of one row."""

    row: str
    kind: Kind
    check: str
    result: Result
    outcome: Outcome
    found: str
    took_s: float
    collateral: tuple[str, ...]  # other checks of the same trials that failed


def rows(charts: Path, checks: Mapping[str, Check]) -> list[Row]:
    """Every row there is. Raises InputError for a mutant file without BREAKS or SPARES and patch."""
    return [*_server_rows(charts / "images"), *_chart_rows(charts / "mutants"), *_ablation_rows(checks)]


def unproven(checks: Mapping[str, Check], all_rows: Iterable[Row]) -> list[str]:
    """What each check that MUST hold lacks of an ablation and FAULTS_WANTED faults, as a sentence each."""
    known = list(all_rows)
    lacking = []
    for id, check in checks.items():
        breaking = [row.id for row in known if id in row.checks and row.kind in ("fault", "chart")]
        if check.level == "MUST" and (len(breaking) < FAULTS_WANTED or not check.ablations):
            ablation = "one" if check.ablations else "none"
            lacking.append(
                f"{check.source}: expected an ablation and {FAULTS_WANTED} faults for {id}, which MUST hold, "
                f"found {ablation} and {len(breaking)}; add what is missing, see CONTRIBUTING.md"
            )
    return lacking


def chosen(all_rows: Iterable[Row], ids: Iterable[str], checks: Mapping[str, Check]) -> list[Row]:
    """The rows named by id (or by a check's id; all when none is named), cut to the checks at hand.

    Raises InputError naming what is neither a row nor a check.
    """
    named, known = set(ids), list(all_rows)
    if unknown := named - {row.id for row in known} - set(checks):
        raise InputError(f"expected the id of a fault or of a check, found {', '.join(sorted(unknown))}; see --list")
    found = []
    for row in known:
        wanted = tuple(id for id in row.checks if id in checks and (not named or row.id in named or id in named))
        if wanted:
            found.append(Row(row.id, row.kind, wanted, row.description, row.injection, row.server_fault, row.contract))
    return found


def run_rows(
    context: TrialContext,
    selected: list[Row],
    checks: Mapping[str, Check],
    on_cells: Callable[[list[Cell]], None],
    lanes: int,
) -> list[Cell]:
    """Run the rows, `lanes` of them side by side; every cell, in the order of the rows."""
    numbered = list(enumerate(selected))
    cells: dict[int, list[Cell]] = {}

    def one(numbered_row: tuple[int, Row]) -> None:
        number, row = numbered_row
        cells[number] = run_row(context, number, row, checks)
        on_cells(cells[number])

    pool = ThreadPoolExecutor(lanes, thread_name_prefix="row")
    try:
        for _ in pool.map(one, numbered):
            pass
    finally:
        # Not waited for: after Ctrl-C a row would otherwise go on to its end.
        pool.shutdown(wait=False, cancel_futures=True)
    return [cell for number, _ in numbered for cell in cells[number]]


def run_row(context: TrialContext, number: int, row: Row, checks: Mapping[str, Check]) -> list[Cell]:
    """Run the trials behind a row's checks with the row planted, and judge all checks of those trials."""
    trials = load_trials()
    needed = {kind for id in row.checks for kind in _trials_behind(checks[id], trials)}
    columns = {id: check for id, check in checks.items() if set(check.observes().values()) <= needed}
    contract = Contract.model_validate(merged(context.contract.model_dump(), row.contract))
    changed = _Noticing(row.injection)
    planted = replace(row.injection, patch=changed.patch if row.injection.patch else None)
    own = context.injected(planted).under(f"{context.run_id}-{number}", contract)
    started = time.monotonic()
    suite = Suite(contract, columns, trials, lambda *_: None, lambda *_: None, lanes=1)
    verdicts = suite.run(own)
    took_s = time.monotonic() - started
    fired = not row.server_fault or any(_fired(seen, row.server_fault) for seen in suite.seen.values())
    if row.injection.patch:
        fired = fired and changed.noticed
    return [_cell(row, id, verdicts, fired, took_s) for id in row.checks]


def _trials_behind(check: Check, trials: Mapping[type[Observation], Trial]) -> Iterator[type[Observation]]:
    waiting = list(trials) if check.sees_all else list(check.observes().values())
    while waiting:
        kind = waiting.pop()
        yield kind
        waiting += trials[kind].after


def _cell(row: Row, id: str, verdicts: Mapping[str, Verdict], fired: bool, took_s: float) -> Cell:
    verdict = verdicts[id]
    collateral = tuple(
        other for other, found in verdicts.items() if found.outcome is Outcome.FAIL and other not in row.checks
    )
    return Cell(
        row.id,
        row.kind,
        id,
        _result(row.kind, verdict.outcome, fired),
        verdict.outcome,
        verdict.found,
        took_s,
        collateral,
    )


def _result(kind: Kind, outcome: Outcome, fired: bool) -> Result:
    if kind == "ablation":
        return "ablated" if outcome in (Outcome.INCONCLUSIVE, Outcome.ERROR) else "JUDGED ABLATED"
    if not fired:
        return "not fired"
    if kind == "odd":
        return "passed" if outcome is Outcome.PASS else "BROKEN"
    return "killed" if outcome is Outcome.FAIL else "SURVIVED"


def _fired(seen: Observation, fault: str) -> bool:
    return any("fault_fired" in line and f'"{fault}"' in line for log in seen.logs for _, line in log.lines)


class _Noticing:
    """Applies a injection's patch and remembers whether it changed anything."""

    def __init__(self, injection: Injection) -> None:
        self._patch = injection.patch
        self.noticed = False

    def patch(self, manifests: list[Manifest]) -> list[Manifest]:
        assert self._patch is not None
        before = json.dumps(manifests, sort_keys=True)
        after = self._patch(json.loads(before))
        self.noticed = self.noticed or json.dumps(after, sort_keys=True) != before
        return after


def _server_rows(images: Path) -> Iterator[Row]:
    listing = subprocess.run(
        [sys.executable, "-m", "faults"], cwd=images, capture_output=True, text=True, check=False, timeout=60
    )
    if listing.returncode:
        raise InputError(f"{images}: expected a list of faults, found {listing.stderr.strip()[-300:]}; mend the file")
    for entry in json.loads(listing.stdout):
        kind: Kind = "odd" if entry["kind"] == "odd" else "fault"
        variable = "SEATRIAL_ODD" if kind == "odd" else "SEATRIAL_FAULT"
        values = {"extraEnv": [{"name": variable, "value": entry["id"]}]}
        contract = entry.get("contract", {})
        fires = entry["id"] if kind == "fault" else ""
        yield Row(entry["id"], kind, tuple(entry["breaks"]), entry["description"], Injection(values), fires, contract)


def _chart_rows(folder: Path) -> Iterator[Row]:
    for file in sorted(folder.glob("[a-z]*.py")):
        spec = importlib.util.spec_from_file_location(f"seatrial_mutant_{file.stem}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        named = getattr(module, "BREAKS", None) or getattr(module, "SPARES", None)
        if not named or not callable(getattr(module, "patch", None)):
            raise InputError(f"{file}: expected BREAKS or SPARES (a set of check ids) and patch(manifests); add them")
        kind: Kind = "chart" if hasattr(module, "BREAKS") else "odd"
        id = file.stem.replace("_", "-")
        injection = Injection(getattr(module, "VALUES", {}), module.patch)
        description = " ".join((module.__doc__ or "").split())
        contract = getattr(module, "CONTRACT", {})
        name = id if kind == "odd" else f"chart:{id}"
        yield Row(name, kind, tuple(sorted(named)), description, injection, contract=contract)


def _ablation_rows(checks: Mapping[str, Check]) -> Iterator[Row]:
    for id, check in checks.items():
        if check.ablations:
            missing = "; ".join(ablation.missing for ablation in check.ablations)
            yield Row(f"ablation:{id}", "ablation", (id,), missing, Injection(ablations=check.ablations))


def verdict_of(cells: Iterable[Cell]) -> int:
    """Exit status of a matrix: 0 all as they must be, 1 a cell is not, 2 nothing ran."""
    results = [cell.result for cell in cells]
    if not results:
        return 2
    return 0 if all(result in GOOD for result in results) else 1


def as_markdown(cells: list[Cell]) -> str:
    """The matrix as a table, and its sums."""
    good = sum(cell.result in GOOD for cell in cells)
    by_kind = ", ".join(
        f"{sum(c.kind == kind for c in cells)} {name}"
        for kind, name in (
            ("fault", "server faults"),
            ("chart", "chart mutants"),
            ("odd", "odd variants"),
            ("ablation", "ablations"),
        )
    )
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
