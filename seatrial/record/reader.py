"""One run's record, read at any time."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from seatrial.errors import InputError, SeatrialError, in_words
from seatrial.ledger import Ledger
from seatrial.observation import Timeline
from seatrial.record import codec, schema_1
from seatrial.record.arrays import ledger_from_file
from seatrial.record.files import MANIFEST, Damage, Fingerprint, compare, files_in, read_manifest
from seatrial.record.first_try import FirstTry
from seatrial.record.header import SCHEMA, Asked, RunHeader, RunState
from seatrial.record.layout import (
    END,
    FAILURE,
    FIRST_TRY,
    LEDGER,
    LINES,
    PROMISES,
    RECORD,
    TIMELINE,
    TRIALS,
)
from seatrial.record.summary import summarise
from seatrial.record.verdicts import VerdictEntry, by_id, read_lines
from seatrial.verdict import Verdict

T = TypeVar("T")


class RunRecord:
    """The record in `folder`. Every method may be called from several threads at once.

    `schema` is that of its files; whatever is read from them is what the present one has.
    """

    def __init__(
        self, folder: Path, header: RunHeader, state: RunState, files: dict[str, Fingerprint], schema: int = SCHEMA
    ) -> None:
        self.folder = folder
        self.header = header
        self.state = state
        self.schema = schema
        self._files = files
        self._lock = threading.RLock()

    @classmethod
    def open(cls, folder: Path) -> RunRecord:
        """Read a record, finished or not. Raises InputError if it is none, or of another schema version."""
        if not folder.is_dir():
            raise InputError(f"{folder}: expected the folder of a run record, found none; give the path of one run")
        files = read_manifest(folder)
        document = codec.read_json(folder / RECORD)
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema not in (SCHEMA, schema_1.SCHEMA):
            raise InputError(
                f"{folder / RECORD}: expected schema version {schema_1.SCHEMA} or {SCHEMA}, found {schema!r}; "
                f"read it with the version of Seatrial that wrote it ({_version_in(document)})"
            )
        header = _header(folder, document.get("run"))
        state = RunState()
        if END in files:
            state = codec.structured(codec.read_json(folder / END), RunState, str(folder / END))
        return cls(folder, header, state, files, schema)

    # Trials

    def trials(self) -> list[str]:
        """The trials with an observation."""
        return self._trials_with(codec.OBSERVATION)

    def trial_failures(self) -> dict[str, str]:
        """The trials without one, and why."""
        return {name: self._failure(name) for name in self._trials_with(FAILURE)}

    def _failure(self, name: str) -> str:
        try:
            document = codec.read_json(self.trial_folder(name) / FAILURE)
        except InputError as error:
            return str(error)
        return str(document.get("reason", "")) if isinstance(document, dict) else ""

    def first_tries(self) -> dict[str, FirstTry]:
        """The trials that were run twice, and how the first try went."""
        return {name: self._first_try(name) for name in self._trials_with(FIRST_TRY)}

    def _first_try(self, name: str) -> FirstTry:
        path = self.trial_folder(name) / FIRST_TRY
        try:
            return codec.structured(codec.read_json(path), FirstTry, str(path))
        except InputError as error:
            return FirstTry(str(error), math.nan, math.nan)

    def _trials_with(self, file_name: str) -> list[str]:
        parts = [name.split("/") for name in self._files]
        return sorted(
            self._trial_in(part[1]) for part in parts if len(part) == 3 and part[0] == TRIALS and part[2] == file_name
        )

    def _trial_in(self, folder: str) -> str:
        return schema_1.trial_name(folder) if self.schema == schema_1.SCHEMA else folder

    def trial_folder(self, name: str) -> Path:
        """Where a trial's files are."""
        return self.folder / TRIALS / (schema_1.folder_of(name) if self.schema == schema_1.SCHEMA else name)

    def observation(self, name: str, kind: type[T]) -> T:
        """What a trial saw, once its files are found unchanged. Raises InputError, with expected and found digests."""
        return codec.observation_of(self.raw_observation(name), self.trial_folder(name), kind)

    def raw_observation(self, name: str) -> Mapping[str, Any]:
        """The same without its type: JSON, with references to ledgers and timelines. Raises InputError."""
        self._refuse_damaged(name)
        fields = codec.raw_observation(self.trial_folder(name))
        return schema_1.observation(fields, name, self.timeline(name)) if self.schema == schema_1.SCHEMA else fields

    def ledger(self, name: str) -> Ledger:
        """A trial's main ledger, whose rows bear its name. Raises InputError."""
        return replace(ledger_from_file(self.trial_folder(name) / LEDGER), trial=name)

    def timeline(self, name: str) -> Timeline:
        """A trial's main timeline. Raises InputError."""
        return codec.timeline_from_file(self.trial_folder(name) / TIMELINE)

    # Verdicts

    def verdicts(self) -> list[VerdictEntry]:
        """In the order in which they were given; a torn last line is left out (see `loose_ends`)."""
        return self._read_verdicts()[0]

    def verdicts_in_order(self) -> list[VerdictEntry]:
        """As readers want them: checks by their ids, objectives as the scenario has them."""
        return self.verdicts() if self.header.kind == "load" else sorted(self.verdicts(), key=by_id)

    def unjudged(self) -> list[Asked]:
        """The checks that were asked for and have no verdict, by their ids."""
        judged = {entry.id for entry in self.verdicts()}
        return sorted((asked for asked in self.header.checks if asked.id not in judged), key=by_id)

    @property
    def is_whole(self) -> bool:
        """Whether the run came to its end, with a verdict on all that it was to judge. Half a run is no pass."""
        return self.state.status == "finished" and not self.unjudged()

    def exit_status(self, entries: Iterable[VerdictEntry]) -> int:
        """What a run with these verdicts comes to: 3 refused, 2 without an end or a verdict, else as `summarise`."""
        if self.state.status == "refused":
            return InputError.exit_code
        return summarise(entries).exit_status if self.is_whole else SeatrialError.exit_code

    def comparable(self, recorded: Verdict, again: Verdict) -> Verdict:
        """A verdict judged again, in no more words than the schema of this record had for the recorded one."""
        return schema_1.as_far_as_known(recorded, again) if self.schema == schema_1.SCHEMA else again

    def _read_verdicts(self) -> tuple[list[VerdictEntry], str]:
        path = self.folder / LINES
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{path}: expected verdicts, found {in_words(error)}; take the record from its source again"
            ) from error
        return read_lines(data, str(path), self._upgraded)

    def _upgraded(self, entry: Any) -> Any:
        return _named(schema_1.entry(entry, self.trials()) if self.schema == schema_1.SCHEMA else entry)

    # Whether all is as it was recorded

    def damage(self) -> list[Damage]:
        """Files that are no longer as they were recorded: evidence that must not be judged."""
        running = self.state.status == "running"
        found = [
            Damage(name, what)
            for name, expected in sorted(self._files.items())
            if (what := compare(self.folder, name, expected, may_have_grown=running and name == LINES))
        ]
        if not running:
            found += [Damage(name, "expected only files of the manifest, found one more") for name in self._unlisted()]
        return found

    def loose_ends(self) -> list[Damage]:
        """What a killed run left half done: left out of everything read, and no sign of tampering."""
        if self.state.status != "running":
            return []
        ends = [Damage(END, "not there yet: the run is under way, or it was killed")]
        ends += [Damage(name, "not listed yet when the run was killed: left out") for name in self._unlisted()]
        if dropped := self._read_verdicts()[1]:
            ends.append(Damage(LINES, dropped))
        return ends

    def _unlisted(self) -> list[str]:
        return [name for name in files_in(self.folder) if name not in self._files and name not in self.header.others]

    def damaged_trials(self) -> dict[str, list[Damage]]:
        """Trials with damaged files; a check that was judged on one of them has lost its evidence."""
        by_trial: dict[str, list[Damage]] = {}
        for damage in self.damage():
            if damage.file.startswith(f"{TRIALS}/"):
                by_trial.setdefault(self._trial_in(damage.file.split("/")[1]), []).append(damage)
        return by_trial

    def _refuse_damaged(self, name: str) -> None:
        if name not in self.trials():
            found = ", ".join(self.trials()) or "none"
            raise InputError(
                f"{self.folder}: expected an observation of trial {name}, found only {found}; "
                "run that trial, or leave out the checks that need it"
            )
        prefix = f"{self.trial_folder(name).relative_to(self.folder).as_posix()}/"
        for file_name, expected in sorted(self._files.items()):
            if file_name.startswith(prefix) and (what := compare(self.folder, file_name, expected, False)):
                raise InputError(f"{self.folder / file_name}: {what}; take the record from its source again")

    def digest(self) -> str:
        """One SHA-256 that stands for every file of the record."""
        return hashlib.sha256((self.folder / MANIFEST).read_bytes()).hexdigest()


def _header(folder: Path, run: Any) -> RunHeader:
    """The header with the text of what was promised, which is a file of its own."""
    if isinstance(run, dict) and isinstance(checks := run.get("checks"), list):
        run = {**run, "checks": [_named(asked) for asked in checks]}
    header = codec.structured(run, RunHeader, str(folder / RECORD))
    kept = folder / PROMISES[header.kind]
    try:
        text = kept.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise InputError(f"{kept}: expected what was promised, found {in_words(error)}") from error
    return replace(header, scenario=text) if header.kind == "load" else replace(header, contract=text)


def _named(check: Any) -> Any:
    """A check's or a verdict's fields, with its name as it is written today: with dashes; it had underscores."""
    if not isinstance(check, dict) or not isinstance(name := check.get("name"), str):
        return check
    return {**check, "name": name.replace("_", "-")}


def _version_in(document: Any) -> str:
    run = document.get("run") if isinstance(document, dict) else None
    return str(run.get("seatrial", "unknown")) if isinstance(run, dict) else "unknown"
