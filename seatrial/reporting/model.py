"""All that a report shows, read from a record and put in order; no format yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml

from seatrial.contract import read_contract
from seatrial.documents import yaml_mistake
from seatrial.errors import InputError
from seatrial.ledger import Ledger, Request
from seatrial.observation import Timeline
from seatrial.record import Asked, Damage, FirstTry, RunRecord, Summary, VerdictEntry, summarise
from seatrial.record.codec import read_json
from seatrial.record.header import Kind
from seatrial.record.layout import CONTRACT
from seatrial.reporting.drain_story import DrainStory, drain_story
from seatrial.reporting.headline import Headline, headline
from seatrial.reporting.latency import LoadLatencies, latencies_of_loads
from seatrial.reporting.load import recorded_stages
from seatrial.reporting.subject import Room, alike, room
from seatrial.reporting.text import rows as rows_named
from seatrial.verdict import Outcome

# Where the service is found and how it is installed; the rest of a contract is what it promises.
NO_PROMISES = frozenset({"apiVersion", "name", "chart", "service", "container", "port", "replicas", "values"})


@dataclass(frozen=True, slots=True)
class Judged:
    """One check with the requests that decided it, each of which knows its trial; `lost` says which are not found.

    `expected` has, by the name of a case, what a right answer to it is.
    """

    entry: VerdictEntry
    group: str
    rows: tuple[Request, ...]
    lost: tuple[str, ...] = ()
    expected: Mapping[str, str] = field(default_factory=dict)

    @property
    def shows_expected(self) -> bool:
        """Some of the rows had another answer than its case's."""
        return any(row.case in self.expected and not row.right for row in self.rows)


@dataclass(frozen=True, slots=True)
class DeletedPod:
    """The moments of one deletion, as a record of any trial may hold them."""

    index: int
    victim: str
    deleted_s: float
    sigterm_due_s: float
    drain_sign_s: float | None
    gone_s: float | None


@dataclass(frozen=True, slots=True)
class TrialView:
    """What is drawn of one trial."""

    name: str
    requests: int
    watch_events: int
    duration_s: float
    drains: tuple[DrainStory, ...]
    loads: tuple[LoadLatencies, ...]
    room: Room
    stopped: str = ""  # why before its end


@dataclass(frozen=True, slots=True)
class Report:
    """A run, ready to be written down."""

    record: RunRecord
    headline: Headline
    summary: Summary
    judged: tuple[Judged, ...]
    trials: tuple[TrialView, ...]
    trial_failures: Mapping[str, str]
    first_tries: Mapping[str, FirstTry]
    damage: tuple[Damage, ...]
    loose_ends: tuple[Damage, ...]
    unjudged: tuple[Asked, ...]  # asked for, and without a verdict
    promises: tuple[tuple[str, str], ...]
    stages: tuple[str, ...] = ()  # of a load, as text

    def rooms(self) -> list[tuple[list[str], Room]]:
        """What was on trial and what stood beside it, each with the trials in which it did."""
        return alike([trial.room for trial in self.trials])

    def by_behaviour(self) -> list[tuple[str, list[Judged]]]:
        """Checks that were to be judged, by the folder that they live in; objectives by their stage."""
        groups: dict[str, list[Judged]] = {}
        for judged in self.judged:
            if judged.entry.verdict.outcome != Outcome.SKIPPED:
                groups.setdefault(judged.group, []).append(judged)
        return list(groups.items())

    def unjudged_by_behaviour(self) -> list[tuple[str, list[Asked]]]:
        """Checks without a verdict, by the folder that they live in."""
        groups: dict[str, list[Asked]] = {}
        for asked in self.unjudged:
            groups.setdefault(group_of(asked), []).append(asked)
        return list(groups.items())

    def unjudged_of(self, level: str) -> int:
        """How many checks of this level have no verdict."""
        return sum(asked.level == level for asked in self.unjudged)

    def levels(self) -> list[str]:
        """MUST and SHOULD, as far as the run had such checks."""
        return sorted({*self.summary.counts, *(asked.level for asked in self.unjudged)})

    def skipped_by_reason(self) -> list[tuple[str, list[Judged]]]:
        """Checks that do not apply, by why."""
        groups: dict[str, list[Judged]] = {}
        for judged in self.judged:
            if judged.entry.verdict.outcome == Outcome.SKIPPED:
                groups.setdefault(judged.entry.verdict.found, []).append(judged)
        return sorted(groups.items())


def read_report(record: RunRecord) -> Report:
    """Raises InputError for a record whose verdicts cannot be read; a damaged trial is left out and said."""
    damage = record.damage()
    entries = record.verdicts_in_order()
    summary = summarise(entries)
    damaged = record.damaged_trials()
    intact = [name for name in record.trials() if name not in damaged]
    ledgers = {name: record.ledger(name) for name in intact if _has(record, name, "ledger.npz")}
    whole = all(each.file != CONTRACT for each in damage)
    expected = _expected(record) if record.header.kind != "load" and whole else {}
    return Report(
        record=record,
        headline=headline(record, entries, summary, damage),
        summary=summary,
        judged=tuple(_judged(entry, _group(entry, record.header.kind), ledgers, expected) for entry in entries),
        trials=tuple(_view(record, name, ledgers.get(name)) for name in intact),
        trial_failures=record.trial_failures(),
        first_tries=record.first_tries(),
        damage=tuple(damage),
        loose_ends=tuple(record.loose_ends()),
        unjudged=tuple(record.unjudged()),
        promises=() if record.header.kind == "load" else tuple(_promises(record.header.contract)),
        stages=tuple(recorded_stages(record)) if record.header.kind == "load" else (),
    )


def _has(record: RunRecord, trial: str, file_name: str) -> bool:
    return (record.trial_folder(trial) / file_name).is_file()


def _expected(record: RunRecord) -> dict[str, str]:
    """What a right answer to each case is; not of a case whose name two APIs give to different ones.

    Nothing where the contract is not one of this version's: verdicts and rows can be shown without.
    """
    try:
        contract = read_contract(record.folder / CONTRACT)
    except InputError:
        return {}
    found: dict[str, str] = {}
    twice: set[str] = set()
    for api in contract.every_api().values():
        for name, case in api.named_cases():
            if found.setdefault(name, case.described()) != case.described():
                twice.add(name)
    return {name: told for name, told in found.items() if name not in twice}


def _judged(entry: VerdictEntry, group: str, ledgers: Mapping[str, Ledger], expected: Mapping[str, str]) -> Judged:
    found: list[Request] = []
    lost: list[str] = []
    for trial in dict.fromkeys(place.trial for place in entry.verdict.decisive):
        wanted = [place.row for place in entry.verdict.decisive if place.trial == trial]
        if trial in ledgers:
            ledger = ledgers[trial]
            rows = {request.row: request for request in ledger.select(np.isin(ledger.row, wanted))}
            found += [rows[number] for number in wanted if number in rows]
            if absent := [number for number in wanted if number not in rows]:
                lost.append(
                    f"{rows_named(absent)} of {trial}: its ledger has none of that number, only {len(ledger)} rows"
                )
        elif trial:
            lost.append(f"{rows_named(wanted)} of {trial}: the record has no ledger of that trial that could be read")
        else:
            lost.append(f"{rows_named(wanted)}: of which trial, the record does not say ({' or '.join(entry.trials)})")
    return Judged(entry, group, tuple(found), tuple(lost), expected)


def _group(entry: VerdictEntry, kind: Kind) -> str:
    """A check's group; an objective's stage."""
    if kind == "load":
        return entry.trials[0] if entry.trials else "load"
    return group_of(entry)


def group_of(check: VerdictEntry | Asked) -> str:
    """A check's folder, or, where that was not recorded, the promise it belongs to."""
    promise = re.split(r"[.|]", check.promise)[0]
    return PurePosixPath(check.source).parent.name or promise or "general"


def _view(record: RunRecord, name: str, ledger: Ledger | None) -> TrialView:
    fields = record.raw_observation(name)
    timeline = record.timeline(name) if _has(record, name, "timeline.jsonl") else Timeline()
    drains: tuple[DrainStory, ...] = ()
    if ledger is not None:
        origin_s = float(fields.get("wall_origin_s") or 0)
        drains = tuple(drain_story(ledger, timeline, pod, origin_s) for pod in _deletions(fields.get("rounds")))
    return TrialView(
        name,
        0 if ledger is None else len(ledger),
        len(timeline.changes),
        float(fields.get("ended_s") or 0) - float(fields.get("started_s") or 0),
        drains,
        () if ledger is None else latencies_of_loads(ledger),
        room(name, fields, timeline, read_json(images) if (images := _images(record, name)).is_file() else None),
        str(fields.get("stopped") or ""),
    )


def _images(record: RunRecord, name: str) -> Path:
    return record.trial_folder(name) / "images.json"


def _deletions(rounds: Any) -> Iterable[DeletedPod]:
    """Rounds that deleted a pod; any trial that keeps such rounds gets its picture."""
    for index, round in enumerate(rounds if isinstance(rounds, list) else []):
        if isinstance(round, dict) and "victim" in round and isinstance(round.get("deleted_s"), float | int):
            deleted_s = float(round["deleted_s"])
            yield DeletedPod(
                int(round.get("index", index)),
                str(round["victim"]),
                deleted_s,
                float(round.get("sigterm_due_s") or deleted_s),
                round.get("drain_sign_s"),
                round.get("gone_s"),
            )


def _promises(contract: str) -> Iterable[tuple[str, str]]:
    """The contract's promises as path and value; cases are counted, not listed."""
    try:
        document = yaml.safe_load(contract)
    except yaml.YAMLError as error:
        where, found = yaml_mistake(error)
        raise InputError(
            f"contract.yaml{where}: expected YAML, found {found}; take the record from its source again"
        ) from error
    promises = document if isinstance(document, dict) else {}
    return _flat("", {key: value for key, value in promises.items() if key not in NO_PROMISES})


def _flat(path: str, value: Any) -> Iterable[tuple[str, str]]:
    if path.endswith("cases") and isinstance(value, list):
        yield path, f"{len(value)} requests with a known right answer"
    elif value is None or value in ({}, [], "", False):
        return  # a promise that is not made
    elif isinstance(value, dict) and set(value) == {"value", "set"}:
        yield path, f"{value['set']} (Helm value {value['value']})"
    elif isinstance(value, dict) and value:
        for key, inner in value.items():
            if key == "values":
                continue  # how a trial installs, not what is promised
            yield from _flat(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield path, ", ".join(map(_named, value))
    else:
        yield path, "yes" if value is True else str(value)


def _named(item: Any) -> str:
    """An environment variable as a shell writes it."""
    if isinstance(item, dict) and set(item) == {"name", "value"}:
        return f"{item['name']}={item['value']}"
    return str(item)
