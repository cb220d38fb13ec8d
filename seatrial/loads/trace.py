"""Recorded arrivals: a CSV file with a header, or JSON lines, one request each.

Every line has a `timestamp`, in seconds or as an ISO 8601 date and time, and may have the sizes of what was asked and
answered. The column names of the public traces of Azure (LLM inference, 2023), BurstGPT and Mooncake are understood.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson

from seatrial.documents import read_text
from seatrial.errors import InputError
from seatrial.ledger import Floats, Ints

Unit = Literal["s", "ms"]
_PER_S: Mapping[Unit, float] = {"s": 1.0, "ms": 1e3}
# In lower case, with underscores for blanks.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "timestamp": ("timestamp",),
    "input": ("prompt_tokens", "input_tokens", "input_length", "input_bytes", "contexttokens", "request_tokens"),
    "output": (
        "output_tokens",
        "completion_tokens",
        "output_length",
        "output_bytes",
        "generatedtokens",
        "response_tokens",
    ),
}


@dataclass(frozen=True, slots=True)
class Trace:
    """Arrivals in seconds after the first one, and sizes where the file has them; shapes (n,), n of 2 or more."""

    arrivals_s: Floats
    input_sizes: Ints | None
    output_sizes: Ints | None

    @property
    def longest_s(self) -> float:
        """The longest stage that it can fill at its own speed: its end, and one longest gap."""
        return float(self.arrivals_s[-1] + np.diff(self.arrivals_s).max())


def read_trace(file: Path, unit: Unit = "s") -> Trace:
    """The arrivals in a file; numeric timestamps are in `unit`. Raises InputError naming file and line."""
    kinds = {".csv": _csv_lines, ".jsonl": _json_lines}
    if file.suffix not in kinds:
        raise InputError(f"{file}: expected a trace named .csv or .jsonl, found {file.suffix!r}; convert or rename it")
    lines = kinds[file.suffix](file, read_text(file, "a trace"))
    first = next(lines, None)
    if first is None:
        raise InputError(f"{file}: expected a trace of 2 requests or more, found none; record one")
    columns = _columns(file, list(first[1]))
    rows = [_row(file, *first, columns, unit)]
    rows += [_row(file, number, fields, columns, unit) for number, fields in lines]
    if len(rows) < 2:
        raise InputError(f"{file}: expected a trace of 2 requests or more, found 1; record more")
    for (_, before_s, *_), (number, at_s, *_) in pairwise(rows):
        if at_s < before_s:
            raise InputError(
                f"{file}, line {number}: expected timestamps that ascend, "
                f"found one {before_s - at_s:g} s before that of the line above; sort the trace by time"
            )
    arrivals_s = np.array([row[1] for row in rows])
    sizes = [
        np.array([row[place] for row in rows], dtype=np.int64) if name in columns else None
        for place, name in ((2, "input"), (3, "output"))
    ]
    return Trace(arrivals_s - arrivals_s[0], *sizes)


def _csv_lines(file: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            if not cells:
                continue
            if not header:
                header = cells
            elif len(cells) != len(header):
                raise InputError(
                    f"{file}, line {reader.line_num}: expected {len(header)} columns as in the header, "
                    f"found {len(cells)}; mend the line"
                )
            else:
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as broken:
        raise InputError(f"{file}, line {reader.line_num}: expected CSV, found {broken}; mend the line") from None


def _json_lines(file: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError as broken:
            raise InputError(f"{file}, line {number}: expected JSON, found {broken}; mend the line") from None
        if not isinstance(fields, dict):
            raise InputError(f"{file}, line {number}: expected a JSON object, found {line.strip()[:40]}; mend the line")
        yield number, fields


def _columns(file: Path, names: list[str]) -> dict[str, str]:
    """What each column that matters is called in this file, as its first request has it."""
    found: dict[str, str] = {}
    for meaning, known in _COLUMNS.items():
        given = [name for name in names if name.strip().lower().replace(" ", "_") in known]
        if len(given) > 1:
            raise InputError(f"{file}: expected one column for the {meaning}, found {given}; keep one")
        if given:
            found[meaning] = given[0]
    if "timestamp" not in found:
        raise InputError(f"{file}: expected a column timestamp, found {names}; name the one with the times")
    return found


def _row(
    file: Path, line: int, fields: Mapping[str, Any], columns: Mapping[str, str], unit: Unit
) -> tuple[int, float, int, int]:
    """Line, seconds, input size, output size; a size that the file does not have is 0."""
    read: dict[str, float] = {}
    for meaning, name in columns.items():
        value = fields.get(name)
        known = _seconds(value, unit) if meaning == "timestamp" else _size(value)
        if known is None:
            expected = (
                "seconds or an ISO 8601 date and time" if meaning == "timestamp" else "a whole number of 0 or more"
            )
            shown = "nothing" if value in (None, "") else repr(value)
            raise InputError(f"{file}, line {line}, {name}: expected {expected}, found {shown}; mend the line")
        read[meaning] = known
    return line, read["timestamp"], int(read.get("input", 0)), int(read.get("output", 0))


def _seconds(value: Any, unit: Unit) -> float | None:
    number = _number(value)
    if number is not None:
        return number / _PER_S[unit]
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    # A time without a zone is taken as UTC: only differences matter, and UTC has no hour twice.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _size(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and 0 <= number < 2**53 and number == int(number) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
