"""The names of a record's files."""

from __future__ import annotations

import re

from seatrial.errors import InputError
from seatrial.record.header import Kind

RECORD = "record.json"
CONTRACT, SCENARIO = "contract.yaml", "scenario.yaml"  # what is promised, by the kind of the run
TRIALS = "trials"
FAILURE, FIRST_TRY = "failure.json", "first-try.json"
LEDGER, TIMELINE = "ledger.npz", "timeline.jsonl"
LINES, VERDICTS = "verdicts.jsonl", "verdicts.json"
END = "end.json"
# Of a load:
LOADTEST, TRACES = "loadtest.py", "traces"
GENERATOR, RESULT = "generator.json", "result.json"

PROMISES: dict[Kind, str] = {"certify": CONTRACT, "load": SCENARIO}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def refuse_bad_name(name: str, what: str) -> None:
    """Raises InputError for what cannot name a file or folder of a record."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{what}: expected letters, digits, dots, dashes and underscores, found {name!r}; choose another name"
        )
