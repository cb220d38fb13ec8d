"""`seatrial verify`: is the record as it was recorded, and does its evidence still say what its verdicts say?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click

from seatrial.content import content
from seatrial.contract import Contract, read_contract
from seatrial.errors import InputError
from seatrial.observation import Observation
from seatrial.record import Damage, RunRecord, VerdictEntry, summarise
from seatrial.record.alike import alike
from seatrial.reporting.terminal import verdict_table
from seatrial.reporting.text import plural, sentence
from seatrial.suite.check import Check
from seatrial.suite.judge import judge
from seatrial.suite.registry import load_checks, load_trials
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


@click.command(epilog="Example: seatrial verify runs/20260101-120000-a1b2")
@click.argument("record", type=click.Path(path_type=Path))
@click.option(
    "--conformance", "folders", multiple=True, type=click.Path(path_type=Path), help="Checks and trials of your own."
)
def verify(record: Path, folders: tuple[Path, ...]) -> int:
    """Judge the run recorded in RECORD again, with no cluster at hand.

    Exit status: as of the verdicts judged again; 2 where one differs from the record or could not be judged again;
    3 where a file is no longer as it was recorded.
    """
    opened = RunRecord.open(record)
    damage = opened.damage()
    for file, what in opened.loose_ends():
        click.echo(f"note: {file}: {what}", err=True)
    for name, first in opened.first_tries().items():
        click.echo(f"note: {first.sentence(name)}", err=True)
    for file, what in damage:
        click.echo(f"damaged: {file}: {what}", err=True)
    replay = judge_again(opened, load_checks(content("conformance"), *folders), damage, folders)
    _tell(replay, damage)
    if damage:
        return 3
    return 2 if replay.changed or replay.lost else summarise(replay.again).exit_status


def judge_again(
    record: RunRecord, checks: Mapping[str, Check], damage: list[Damage], folders: Iterable[Path] = ()
) -> Replay:
    """Every recorded check whose evidence is whole, judged by the checks at hand; `folders` may have its trials.

    Raises InputError if the contract itself is damaged or no longer one.
    """
    if any(each.file == "contract.yaml" for each in damage):
        raise InputError(
            f"{record.folder / 'contract.yaml'}: expected the contract as it was recorded, found it changed; "
            "no verdict can be judged again without it"
        )
    contract = read_contract(record.folder / "contract.yaml")
    trials = {trial.observes: trial.name for trial in load_trials(*folders).values()}
    damaged = record.damaged_trials()
    lost: dict[str, str] = {}
    recorded, again = [], []
    evidence = _Evidence(record, trials)
    for entry in record.verdicts():
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


def _tell(replay: Replay, damage: list[Damage]) -> None:
    if replay.again:
        click.echo(verdict_table(replay.again))
        click.echo()
    for old, new in replay.changed:
        click.echo(f"{old.id}: recorded as {old.verdict.outcome} ({sentence(old.verdict)}),")
        click.echo(f"{' ' * len(old.id)}  judged again {new.verdict.outcome} ({sentence(new.verdict)})")
    for check_id, why in replay.lost.items():
        click.echo(f"{check_id}: not judged again: {why}")
    equal = len(replay.again) - len(replay.changed)
    files = f"{plural(len(damage), 'file')} damaged" if damage else "every file as it was recorded"
    click.echo(f"{plural(equal, 'verdict')} judged again as recorded, {len(replay.changed)} otherwise; {files}.")
