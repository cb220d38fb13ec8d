"""Rows, run: the trials behind a row's checks with the row planted, and what each check said of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from seatrial.faults.row import Kind, Row
from seatrial.observation import Observation
from seatrial.suite.check import Check
from seatrial.suite.registry import load_trials
from seatrial.suite.runner import Suite
from seatrial.trials.context import Injection, Manifest, TrialContext
from seatrial.trials.trial import Trial
from seatrial.verdict import Outcome, Verdict

Result = Literal["killed", "SURVIVED", "not fired", "passed", "BROKEN", "ablated", "JUDGED ABLATED"]
GOOD: frozenset[Result] = frozenset({"killed", "passed", "ablated"})


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


def run_rows(
    context: TrialContext,
    selected: list[Row],
    checks: Mapping[str, Check],
    on_cells: Callable[[list[Cell]], None],
    lanes: int,
    folders: Iterable[Path] = (),
) -> list[Cell]:
    """Run the rows, `lanes` of them side by side; every cell, in the order of the rows.

    `folders` may have trials beside those of the engine.
    """
    numbered = list(enumerate(selected))
    cells: dict[int, list[Cell]] = {}

    def run(numbered_row: tuple[int, Row]) -> None:
        number, row = numbered_row
        cells[number] = run_row(context, number, row, checks, folders)
        on_cells(cells[number])

    pool = ThreadPoolExecutor(lanes, thread_name_prefix="row")
    try:
        for _ in pool.map(run, numbered):
            pass
    finally:
        # Not waited for: after Ctrl-C a row would otherwise go on to its end.
        pool.shutdown(wait=False, cancel_futures=True)
    return [cell for number, _ in numbered for cell in cells[number]]


def run_row(
    context: TrialContext, number: int, row: Row, checks: Mapping[str, Check], folders: Iterable[Path] = ()
) -> list[Cell]:
    """Run the trials behind a row's checks with the row planted, and judge all checks of those trials."""
    trials = load_trials(*folders)
    needed = {kind for id in row.checks for kind in _trials_behind(checks[id], trials)}
    columns = {id: check for id, check in checks.items() if set(check.observes().values()) <= needed}
    contract = row.under(context.contract)
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
    """Applies an injection's patch and remembers whether it changed anything."""

    def __init__(self, injection: Injection) -> None:
        self._patch = injection.patch
        self.noticed = False

    def patch(self, manifests: list[Manifest]) -> list[Manifest]:
        assert self._patch is not None
        before = json.dumps(manifests, sort_keys=True)
        after = self._patch(json.loads(before))
        self.noticed = self.noticed or json.dumps(after, sort_keys=True) != before
        return after
