"""One run's record: written as the run goes, read at any time."""

from __future__ import annotations

import hashlib
import math
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from seatrial.errors import InputError
from seatrial.observation import Ledger, Timeline
from seatrial.record import codec
from seatrial.record.arrays import ledger_from_file
from seatrial.record.files import (
    MANIFEST,
    Damage,
    Fingerprint,
    compare,
    files_in,
    fingerprint,
    read_manifest,
    write_manifest,
    write_whole,
)
from seatrial.record.first_try import FirstTry
from seatrial.record.header import SCHEMA, RunHeader, RunState
from seatrial.record.verdicts import VerdictEntry, canonical, read_lines
from seatrial.verdict import Verdict

RECORD, CONTRACT = "record.json", "contract.yaml"
LINES, VERDICTS = "verdicts.jsonl", "verdicts.json"
FAILURE, FIRST_TRY, END = "failure.json", "first-try.json", "end.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

T = TypeVar("T")


def utc_now() -> str:
    """The wall clock as the record writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class RunRecord:
    """The record in `folder`. Every method may be called from several threads at once."""

    def __init__(self, folder: Path, header: RunHeader, state: RunState, files: dict[str, Fingerprint]) -> None:
        self.folder = folder
        self.header = header
        self.state = state
        self._files = files
        self._lock = threading.RLock()

    @classmethod
    def create(cls, root: Path, header: RunHeader) -> RunRecord:
        """Begin the record of a run in root/<run id>. Raises InputError if that folder exists."""
        _refuse_bad_name(header.run_id, "a run id")
        folder = root / header.run_id
        try:
            folder.mkdir(parents=True)
        except FileExistsError as error:
            raise InputError(
                f"{folder}: expected no record of this run id yet, found one; choose another id or folder"
            ) from error
        record = cls(folder, header, RunState(), {})
        run = codec.plain(replace(header, contract=""))
        del run["contract"]
        record._put(
            {
                RECORD: codec.to_json({"schema": SCHEMA, "run": run}),
                CONTRACT: header.contract.encode(),
                LINES: b"",
            }
        )
        return record

    @classmethod
    def open(cls, folder: Path) -> RunRecord:
        """Read a record, finished or not. Raises InputError if it is none, or of another schema version."""
        if not folder.is_dir():
            raise InputError(f"{folder}: expected the folder of a run record, found none; give the path of one run")
        files = read_manifest(folder)
        document = codec.read_json(folder / RECORD)
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise InputError(
                f"{folder / RECORD}: expected schema version {SCHEMA}, found {schema!r}; "
                f"read it with the version of Seatrial that wrote it ({_version_in(document)})"
            )
        try:
            contract = (folder / CONTRACT).read_bytes().decode("utf-8", "replace")
        except OSError as error:
            raise InputError(f"{folder / CONTRACT}: expected the contract, found {error}") from error
        run = document.get("run")
        fields = {**run, "contract": contract} if isinstance(run, dict) else run
        header = codec.structured(fields, RunHeader, str(folder / RECORD))
        if END not in files:
            return cls(folder, header, RunState(), files)
        return cls(folder, header, codec.structured(codec.read_json(folder / END), RunState, str(folder / END)), files)

    # Writing

    def add_trial(
        self,
        name: str,
        observation: Any,
        files: Mapping[str, str | bytes] | None = None,
        first_try: FirstTry | None = None,
    ) -> None:
        """Keep what a trial saw, with texts beside it. Raises InputError for a name that is taken or unusable.

        `first_try` is the run that went before, if the trial was run twice.
        """
        folder = self._new_trial(name, first_try)
        for file_name, content in (files or {}).items():
            _refuse_bad_name(file_name, f"a file of trial {name}")
            write_whole(folder / file_name, content.encode() if isinstance(content, str) else content)
        codec.observation_to_files(folder, observation)
        self._list_trial(folder)

    def add_trial_failure(self, name: str, reason: str, first_try: FirstTry | None = None) -> None:
        """Keep why a trial has no observation. Raises InputError as `add_trial` does."""
        folder = self._new_trial(name, first_try)
        write_whole(folder / FAILURE, codec.to_json({"reason": reason}))
        self._list_trial(folder)

    def add_verdict(
        self,
        check_id: str,
        level: str,
        title: str,
        verdict: Verdict,
        trials: Iterable[str],
        *,
        name: str = "",
        promise: str = "",
        source: str = "",
    ) -> None:
        """Append one verdict. Raises InputError once the run has ended."""
        entry = VerdictEntry(check_id, level, title, verdict, tuple(trials), name, promise, source)
        line = codec.to_json_line(codec.plain(entry))
        with self._lock:
            self._refuse_ended()
            with (self.folder / LINES).open("ab") as stream:
                stream.write(line)
            self._files[LINES] = fingerprint((self.folder / LINES).read_bytes())
            write_manifest(self.folder, self._files)

    def finish(self, exit_status: int) -> None:
        """The run came to its end: write the canonical verdicts."""
        self._end(RunState("finished", utc_now(), exit_status))

    def interrupt(self, reason: str) -> None:
        """The run was stopped before its end; what was judged so far stays."""
        self._end(RunState("interrupted", utc_now(), None, reason))

    def _end(self, state: RunState) -> None:
        with self._lock:
            self._refuse_ended()
            self._put({VERDICTS: canonical(self.verdicts()), END: codec.to_json(codec.plain(state))})
            self.state = state

    def _put(self, files: Mapping[str, bytes]) -> None:
        """New files become part of the record at once, when the manifest that lists them is in place."""
        for name, data in files.items():
            write_whole(self.folder / name, data)
        with self._lock:
            self._files.update({name: fingerprint(data) for name, data in files.items()})
            write_manifest(self.folder, self._files)

    def _new_trial(self, name: str, first_try: FirstTry | None) -> Path:
        _refuse_bad_name(name, "a trial")
        with self._lock:
            self._refuse_ended()
            folder = self.folder / "trials" / name
            try:
                folder.mkdir(parents=True)
            except FileExistsError as error:
                raise InputError(f"{folder}: expected each trial once, found it recorded; name trials apart") from error
        if first_try:
            write_whole(folder / FIRST_TRY, codec.to_json(codec.plain(first_try)))
        return folder

    def _list_trial(self, folder: Path) -> None:
        prefix = folder.relative_to(self.folder).as_posix()
        listed = {f"{prefix}/{name}": fingerprint((folder / name).read_bytes()) for name in files_in(folder)}
        with self._lock:
            self._files.update(listed)
            write_manifest(self.folder, self._files)

    def _refuse_ended(self) -> None:
        if self.state.status != "running":
            raise InputError(
                f"{self.folder}: expected a running record, found it {self.state.status}; start another run"
            )

    # Reading

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
        parts = [name.split("/") for name in sorted(self._files)]
        return [part[1] for part in parts if len(part) == 3 and part[0] == "trials" and part[2] == file_name]

    def trial_folder(self, name: str) -> Path:
        """Where a trial's files are."""
        return self.folder / "trials" / name

    def observation(self, name: str, kind: type[T]) -> T:
        """What a trial saw, once its files are found unchanged. Raises InputError, with expected and found digests."""
        self._refuse_damaged(name)
        return codec.observation_from_files(self.trial_folder(name), kind)

    def raw_observation(self, name: str) -> Mapping[str, Any]:
        """The same without its type: JSON, with references to ledgers and timelines. Raises InputError."""
        self._refuse_damaged(name)
        return codec.raw_observation(self.trial_folder(name))

    def ledger(self, name: str) -> Ledger:
        """A trial's main ledger. Raises InputError."""
        return ledger_from_file(self.trial_folder(name) / "ledger.npz")

    def timeline(self, name: str) -> Timeline:
        """A trial's main timeline. Raises InputError."""
        return codec.timeline_from_file(self.trial_folder(name) / "timeline.jsonl")

    def verdicts(self) -> list[VerdictEntry]:
        """In the order in which they were given; a torn last line is left out (see `loose_ends`)."""
        return self._read_verdicts()[0]

    def _read_verdicts(self) -> tuple[list[VerdictEntry], str]:
        path = self.folder / LINES
        try:
            return read_lines(path.read_bytes(), str(path))
        except OSError as error:
            raise InputError(
                f"{path}: expected verdicts, found {error}; take the record from its source again"
            ) from error

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
        ends = [Damage(END, "expected how the run ended, found nothing: it still runs, or it was killed")]
        ends += [Damage(name, "not listed yet when the run was killed: left out") for name in self._unlisted()]
        if dropped := self._read_verdicts()[1]:
            ends.append(Damage(LINES, dropped))
        return ends

    def _unlisted(self) -> list[str]:
        return [name for name in files_in(self.folder) if name not in self._files]

    def damaged_trials(self) -> dict[str, list[Damage]]:
        """Trials with damaged files; a check that was judged on one of them has lost its evidence."""
        by_trial: dict[str, list[Damage]] = {}
        for damage in self.damage():
            if damage.file.startswith("trials/"):
                by_trial.setdefault(damage.file.split("/")[1], []).append(damage)
        return by_trial

    def _refuse_damaged(self, name: str) -> None:
        if name not in self.trials():
            found = ", ".join(self.trials()) or "none"
            raise InputError(
                f"{self.folder}: expected an observation of trial {name}, found only {found}; "
                "run that trial, or leave out the checks that need it"
            )
        prefix = f"trials/{name}/"
        for file_name, expected in sorted(self._files.items()):
            if file_name.startswith(prefix) and (what := compare(self.folder, file_name, expected, False)):
                raise InputError(f"{self.folder / file_name}: {what}; take the record from its source again")

    def digest(self) -> str:
        """One SHA-256 that stands for every file of the record."""
        return hashlib.sha256((self.folder / MANIFEST).read_bytes()).hexdigest()


def _refuse_bad_name(name: str, what: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(
            f"{what}: expected letters, digits, dots, dashes and underscores, found {name!r}; choose another name"
        )


def _version_in(document: Any) -> str:
    run = document.get("run") if isinstance(document, dict) else None
    return str(run.get("seatrial", "unknown")) if isinstance(run, dict) else "unknown"
