"""A run's verdicts given again from its record alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seatrial.contract import Api, Contract, StreamingApi, read_contract
from seatrial.contract.apis import AdapterFile
from seatrial.documents import read_text
from seatrial.errors import InputError
from seatrial.loads.scenario import read_scenario
from seatrial.observation import Observation
from seatrial.record import Damage, RunRecord, VerdictEntry
from seatrial.record.alike import alike, judged_alike
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
        return [(old, new) for old, new in self._pairs if not judged_alike(old, new)]

    @property
    def reworded(self) -> list[tuple[VerdictEntry, VerdictEntry]]:
        """Verdicts that came out as they were, in other words: another version of the check wrote them."""
        return [(old, new) for old, new in self._pairs if judged_alike(old, new) and not alike(old, new)]

    @property
    def _pairs(self) -> Iterable[tuple[VerdictEntry, VerdictEntry]]:
        return zip(self.recorded, self.again, strict=True)


def judge_again(
    record: RunRecord,
    checks: Mapping[str, Check],
    damage: Sequence[Damage],
    folders: Iterable[Path] = (),
    adapters: Sequence[Path] = (),
) -> Replay:
    """Every recorded check whose evidence is whole, judged by the checks at hand; `folders` may have its trials.

    An adapter that the record brings is a stranger's program: it is run only where one of the files in `adapters` has
    the same text. Raises InputError if the contract itself is damaged or no longer one, and for one of `adapters` that
    is none of the record's.
    """
    if any(each.file == CONTRACT for each in damage):
        raise InputError(
            f"{record.folder / CONTRACT}: expected the contract as it was recorded, found it changed; "
            "no verdict can be judged again without it"
        )
    contract = read_contract(record.folder / CONTRACT)
    trusted = _texts(adapters, contract, record.folder / CONTRACT)
    strange = _strange(contract, trusted)
    contract = _disarmed(contract, strange)
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
        if may_run := {place: strange[place] for place in _read_by(check, contract) if place in strange}:
            programs = ", ".join(f"{place}.adapter ({adapter.file})" for place, adapter in may_run.items())
            lost[entry.id] = (
                f"it may run the program that the record brings as {programs}; "
                f"read that in {CONTRACT} of the record, and name a file with the same text with --adapter"
            )
            continue
        needed = {trials.get(kind, kind.__name__) for kind in check.observes().values()} | set(entry.trials)
        if files := [each.file for name in sorted(needed) for each in damaged.get(name, ())]:
            lost[entry.id] = f"its evidence no longer matches: {', '.join(files)}"
            continue
        recorded.append(entry)
        again.append(replace(entry, verdict=record.comparable(entry.verdict, evidence.judge(check, contract))))
    return Replay(tuple(recorded), tuple(again), lost)


def _read_by(check: Check, contract: Contract) -> Collection[str]:
    """The places of the APIs whose adapters a check may run: all with the whole contract, that which streams with it.

    `Api` is asked for by checks that want its times and its cases.
    """
    asked_for = {asked.kind for asked in check.parameters()}
    if Contract in asked_for:
        return tuple(contract.every_api())
    streamed = contract.streaming_api if StreamingApi in asked_for else None
    return (streamed.place,) if streamed else ()


def _texts(files: Sequence[Path], contract: Contract, place: Path) -> frozenset[str]:
    recorded = {api.adapter.text for api in contract.every_api().values() if api.adapter}
    texts = {file: read_text(file, "an adapter") for file in files}
    if other := next((file for file, text in texts.items() if text not in recorded), None):
        raise InputError(
            f"{other}: expected the text of an adapter in {place}, found another; compare the two, and name the file "
            "as it was when the run was recorded"
        )
    return frozenset(texts.values())


def _strange(contract: Contract, trusted: Collection[str]) -> dict[str, AdapterFile]:
    """The adapters that nobody vouches for, by the place of their API in the file."""
    return {
        place: api.adapter
        for place, api in contract.every_api().items()
        if api.adapter and api.adapter.text not in trusted
    }


def _disarmed(contract: Contract, strange: Mapping[str, AdapterFile]) -> Contract:
    """The contract without the text of these adapters: whoever would ask by one gets an InputError."""

    def disarmed(place: str, api: Api) -> Api:
        if place not in strange:
            return api
        return api.model_copy(update={"adapter": strange[place].model_copy(update={"text": ""})})

    inference = contract.inference and disarmed("inference", contract.inference)
    apis = {name: disarmed(f"apis.{name}", api) for name, api in contract.apis.items()}
    return contract.model_copy(update={"inference": inference, "apis": apis})


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
