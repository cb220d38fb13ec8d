"""A run's verdicts given again from its record alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seatrial.contract import Contract, read_contract
from seatrial.errors import InputError
from seatrial.loads.scenario import read_scenario
from seatrial.observation import Observation
from seatrial.record import Damage, RunRecord, VerdictEntry
from seatrial.record.alike import alike
from seatrial.record.layout import CONTRACT, GENERATOR, SCENARIO, TRACES
from seatrial.record.loads import recorded_load
from seatrial.suite.check import Check
from seatrial.suite.judge import judge
from seatrial.suite.objectives import entries, reported
from seatrial.suite.registry import load_trials
from seatrial.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Replay:
    """What judging again gave. `recorded` and `again` hold the same checks; `lost` says why others are missing."""

    recorded: tuple[VerdictEntry, ...]
    again: tuple[VerdictEntry, ...]
    lost: Mapping[str, str]

    @property
    def changed(self) -> list[tuple[VerdictEntry, VerdictEntry]]:
        """Verdicts that came out otherwise."""
        pairs = zip(self.recorded, self.again, strict=True)
        return [(old, new) for old, new in pairs if not alike(old, new)]


def judge_again(
    record: RunRecord, checks: Mapping[str, Check], damage: Sequence[Damage], folders: Iterable[Path] = ()
) -> Replay:
    """Every recorded check whose evidence is whole, judged by the checks at hand; `folders` may have its trials.

    Raises InputError if the contract itself is damaged or no longer one.
    """
    if any(each.file == CONTRACT for each in damage):
        raise InputError(
            f"{record.folder / CONTRACT}: expected the contract as it was recorded, found it changed; "
            "no verdict can be judged again without it"
        )
    contract = read_contract(record.folder / CONTRACT)
    trials = {trial.observes: trial.name for trial in load_trials(*folders).values()}
    damaged = record.damaged_trials()
    lost: dict[str, str] = {}
    recorded, again = [], []
    evidence = _Evidence(record, trials)
    for entry in record.verdicts_in_order():
        check = checks.get(entry.id)
        if check is None:
            lost[entry.id] = "there is no check of this id any more; give its folder with --conformance"
            continue
        needed = {trials.get(kind, kind.__name__) for kind in check.observes().values()} | set(entry.trials)
        if files := [each.file for name in sorted(needed) for each in damaged.get(name, ())]:
            lost[entry.id] = f"its evidence no longer matches: {', '.join(files)}"
            continue
        recorded.append(entry)
        again.append(replace(entry, verdict=record.comparable(entry.verdict, evidence.judge(check, contract))))
    return Replay(tuple(recorded), tuple(again), lost)


class _Evidence:
    """Observations read once, however many checks ask for them."""

    def __init__(self, record: RunRecord, trials: Mapping[type[Observation], str]) -> None:
        self._record = record
        self._trials = trials
        self._failures = record.trial_failures()
        self._seen: dict[type[Observation], Observation] = {}

    def judge(self, check: Check, contract: Contract) -> Verdict:
        """The verdict on what the record holds."""
        lost: dict[type[Observation], str] = {}
        for kind in self._trials if check.sees_all else check.observes().values():
            name = self._trials.get(kind, "")
            if name in self._failures:
                lost[kind] = self._failures[name]
            elif kind not in self._seen and name in self._record.trials():
                self._seen[kind] = self._record.observation(name, kind)
        return judge(check, contract, self._seen, lost)


def answer_again(record: RunRecord, damage: Sequence[Damage]) -> Replay:
    """Every recorded objective of a load, answered from its scenario and its ledger.

    Raises InputError for a scenario that is none.
    """
    recorded = record.verdicts_in_order()
    if files := [each.file for each in damage if _decides(each.file)]:
        return Replay((), (), {entry.id: f"its evidence no longer matches: {', '.join(files)}" for entry in recorded})
    if not recorded:
        return Replay((), (), {})
    scenario = read_scenario(record.folder / SCENARIO)
    answered = {entry.id: entry for entry in entries(scenario, reported(scenario, recorded_load(record)))}
    kept = tuple(entry for entry in recorded if entry.id in answered)
    lost = {entry.id: "the scenario has no such objective" for entry in recorded if entry.id not in answered}
    ids = {entry.id for entry in recorded}
    lost |= {id: "it is not recorded" for id in answered if id not in ids and record.state.status == "finished"}
    again = tuple(replace(entry, verdict=answered[entry.id].verdict) for entry in kept)
    return Replay(kept, again, lost)


def _decides(file: str) -> bool:
    return file in (SCENARIO, GENERATOR) or file.startswith(f"{TRACES}/") or file.endswith(".chunks")
