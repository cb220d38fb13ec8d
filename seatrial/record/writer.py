"""One run's record, written as the run goes."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seatrial.errors import InputError
from seatrial.observation import Remains
from seatrial.record import codec
from seatrial.record.files import files_in, fingerprint, fingerprint_of, wanting_room, write_manifest, write_whole
from seatrial.record.first_try import FirstTry
from seatrial.record.header import SCHEMA, RunHeader, RunState
from seatrial.record.layout import (
    END,
    FAILURE,
    FIRST_TRY,
    LINES,
    PROMISES,
    RECORD,
    TIMELINE,
    TRIALS,
    VERDICTS,
    refuse_bad_name,
)
from seatrial.record.reader import RunRecord
from seatrial.record.verdicts import VerdictEntry, canonical
from seatrial.verdict import Verdict


def utc_now() -> str:
    """The wall clock as the record writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_run_id() -> str:
    """Date, time and four random digits."""
    return f"{utc_now()[:19].replace('-', '').replace(':', '').replace('T', '-')}-{secrets.token_hex(2)}"


class RecordWriter(RunRecord):
    """A record that is being written, which can be read all the while."""

    @classmethod
    def create(cls, root: Path, header: RunHeader) -> RecordWriter:
        """Begin the record of a run in root/<run id>. Raises InputError if that folder exists."""
        refuse_bad_name(header.run_id, "a run id")
        folder = root / header.run_id
        try:
            folder.mkdir(parents=True)
        except FileExistsError as error:
            raise InputError(
                f"{folder}: expected no record of this run id yet, found one; choose another id or folder"
            ) from error
        return cls.begin(folder, header)

    @classmethod
    def begin(cls, folder: Path, header: RunHeader) -> RecordWriter:
        """Begin a record in a folder that is there and has none."""
        record = cls(folder, header, RunState(), {})
        record._put({RECORD: _header_file(header), PROMISES[header.kind]: header.promises.encode(), LINES: b""})
        return record

    def add_versions(self, versions: Mapping[str, str]) -> None:
        """What had a say and is known only now, such as the cluster's version once it is up."""
        self.header = replace(self.header, versions={**self.header.versions, **versions})
        self._put({RECORD: _header_file(self.header)})

    def add_files(self, files: Mapping[str, bytes]) -> None:
        """Keep files under these paths. Raises SeatrialError where there is no room for them."""
        for name in files:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        self._put(files)

    def adopt_files(self) -> None:
        """What others have written into the folder, and do no longer, becomes part of the record."""
        with self._lock:
            self._files.update({name: fingerprint_of(self.folder / name) for name in self._unlisted()})
            write_manifest(self.folder, self._files)

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
            refuse_bad_name(file_name, f"a file of trial {name}")
            write_whole(folder / file_name, content.encode() if isinstance(content, str) else content)
        codec.observation_to_files(folder, observation)
        self._list_trial(folder)

    def add_trial_failure(
        self, name: str, reason: str, first_try: FirstTry | None = None, remains: Remains | None = None
    ) -> None:
        """Keep why a trial has no observation, and what remains of it. Raises InputError as `add_trial` does."""
        folder = self._new_trial(name, first_try)
        failure: dict[str, Any] = {"reason": reason}
        if remains:
            failure["logs"] = codec.plain(remains.logs)
            write_whole(folder / TIMELINE, codec.timeline_to_bytes(remains.timeline))
        write_whole(folder / FAILURE, codec.to_json(failure))
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
        self.add_entry(VerdictEntry(check_id, level, title, verdict, tuple(trials), name, promise, source))

    def add_entry(self, entry: VerdictEntry) -> None:
        """Append one verdict. Raises InputError once the run has ended."""
        line = codec.to_json_line(codec.plain(entry))
        with self._lock:
            self._refuse_ended()
            with wanting_room(self.folder / LINES), (self.folder / LINES).open("ab") as stream:
                stream.write(line)
            self._files[LINES] = fingerprint_of(self.folder / LINES)
            write_manifest(self.folder, self._files)

    def finish(self, exit_status: int) -> None:
        """The run came to its end: write the canonical verdicts."""
        self._end(RunState("finished", utc_now(), exit_status))

    def interrupt(self, reason: str) -> None:
        """The run was stopped before its end; what was judged so far stays."""
        self._end(RunState("interrupted", utc_now(), None, reason))

    def refuse(self, reason: str) -> None:
        """What the run was told was wrong: nothing is to be judged until that is mended."""
        self._end(RunState("refused", utc_now(), InputError.exit_code, reason))

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
        refuse_bad_name(name, "a trial")
        with self._lock:
            self._refuse_ended()
            folder = self.folder / TRIALS / name
            try:
                folder.mkdir(parents=True)
            except FileExistsError as error:
                raise InputError(f"{folder}: expected each trial once, found it recorded; name trials apart") from error
        if first_try:
            write_whole(folder / FIRST_TRY, codec.to_json(codec.plain(first_try)))
        return folder

    def _list_trial(self, folder: Path) -> None:
        prefix = folder.relative_to(self.folder).as_posix()
        listed = {f"{prefix}/{name}": fingerprint_of(folder / name) for name in files_in(folder)}
        with self._lock:
            self._files.update(listed)
            write_manifest(self.folder, self._files)

    def _refuse_ended(self) -> None:
        if self.state.status != "running":
            raise InputError(
                f"{self.folder}: expected a running record, found it {self.state.status}; start another run"
            )


def _header_file(header: RunHeader) -> bytes:
    run = codec.plain(header)
    del run["contract"], run["scenario"]  # a file of their own
    return codec.to_json({"schema": SCHEMA, "run": run})
