"""Verdicts as the record keeps them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from seatrial.errors import InputError
from seatrial.record.codec import plain, structured, to_json
from seatrial.record.header import SCHEMA, Asked
from seatrial.verdict import Verdict


@dataclass(frozen=True, slots=True)
class VerdictEntry:
    """One judged check, with the trials whose observations it was judged on."""

    id: str
    level: str  # MUST or SHOULD
    title: str
    verdict: Verdict
    trials: tuple[str, ...] = ()
    name: str = ""
    promise: str = ""
    source: str = ""


def by_id(entry: VerdictEntry | Asked) -> tuple[str, int, str]:
    """Orders X2 before X10."""
    match = re.fullmatch(r"(\D*)(\d*)(.*)", entry.id, re.DOTALL)
    letters, number, rest = match.groups() if match else (entry.id, "", "")
    return letters, int(number or 0), rest


def canonical(entries: Iterable[VerdictEntry]) -> bytes:
    """The verdicts as verdicts.json holds them: equal for equal judgements, byte for byte."""
    return to_json({"schema": SCHEMA, "verdicts": [plain(entry) for entry in sorted(entries, key=by_id)]})


def read_lines(data: bytes, where: str, upgraded: Callable[[Any], Any]) -> tuple[list[VerdictEntry], str]:
    """The entries of verdicts.jsonl, each `upgraded` to the present schema; and what had to be dropped ("" if nothing).

    Only a last line without its end can have been torn by a kill. Raises InputError for any other bad line.
    """
    whole, _, torn = data.rpartition(b"\n")
    lines = whole.split(b"\n") if whole else []
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"{where}, line {number}: expected a verdict in JSON, found {error}; "
                "take the record from its source again"
            ) from error
        entries.append(structured(upgraded(value), VerdictEntry, f"{where}, line {number}"))
    dropped = f"expected a whole last line, found {len(torn)} bytes without an end: dropped" if torn else ""
    return entries, dropped
