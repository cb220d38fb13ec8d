"""Records of schema 1, brought up to schema 2 as they are read; their files stay as they are. Pure.

What schema 2 calls otherwise: the ledger's column `stream` is `load`, the trial `crowd` is `concurrency`, and so is a
step's `stream` its `load`. What schema 2 says beside: what was under trial, and of which trial a verdict's rows are; a
verdict of schema 1 has their numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from seatrial.observation import Change, Timeline, Workload
from seatrial.verdict import Evidence, Verdict

SCHEMA = 1
COLUMNS = {"load": "stream"}  # the ledger's, by what they are called now
_TRIALS = {"crowd": "concurrency"}


def trial_name(folder: str) -> str:
    """What the trial whose files are in this folder is called now."""
    return _TRIALS.get(folder, folder)


def folder_of(trial: str) -> str:
    """The inverse of `trial_name`."""
    return next((folder for folder, name in _TRIALS.items() if name == trial), trial)


def observation(fields: Mapping[str, Any], trial: str, timeline: Timeline) -> dict[str, Any]:
    """The fields of an observation of this trial, with its timeline.

    They had the name of a namespace in place of the trial's, and no subject: a chart had one Deployment.
    """
    upgraded = {"subject": asdict(_only_deployment(timeline.changes)), **fields, "trial": trial}
    if isinstance(steps := fields.get("steps"), list):
        upgraded["steps"] = [_renamed(step, "stream", "load") if isinstance(step, dict) else step for step in steps]
    return upgraded


def _only_deployment(changes: Iterable[Change]) -> Workload:
    """A Workload that has no pods, where there is none or more than one."""
    names = {change.name for change in changes if change.kind == "Deployment"}
    return Workload("Deployment", names.pop() if len(names) == 1 else "")


def _renamed(fields: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: value for name, value in fields.items()}


def entry(value: Any, observed: Collection[str]) -> Any:
    """A line of verdicts.jsonl. `observed` are the trials with an observation, by what they are called now.

    Rows are of the only trial of the check that has a ledger; of which, where there are several, nobody knows.
    """
    if not isinstance(value, dict) or not isinstance(value.get("verdict"), dict):
        return value
    trials = [trial_name(str(folder)) for folder in value.get("trials", ())]
    with_ledger = [trial for trial in trials if trial in observed]
    trial = with_ledger[0] if len(with_ledger) == 1 else ""
    verdict = {name: of for name, of in value["verdict"].items() if name != "rows"}
    verdict["decisive"] = [{"trial": trial, "row": row} for row in value["verdict"].get("rows", ())]
    return {**value, "trials": trials, "verdict": verdict}


def as_far_as_known(recorded: Verdict, again: Verdict) -> Verdict:
    """A verdict judged again, without the trials of those rows of which the record does not know them."""
    if len(recorded.decisive) != len(again.decisive):
        return again
    pairs = zip(recorded.decisive, again.decisive, strict=True)
    return replace(again, decisive=tuple(new if old.trial else Evidence("", new.row) for old, new in pairs))
