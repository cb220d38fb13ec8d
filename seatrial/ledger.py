"""The ledger of a trial or a load: every attempt, one row each.

All times are seconds on the run's clock (a monotonic clock, zero at the start of the run). A time that did not happen
is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]

RIGHT, WRONG, UNJUDGED = 1, 0, -1


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt, as a row of the ledger reads."""

    row: int
    load: str
    target: str
    case: str
    pod: str
    group: int
    scheduled_s: float
    sent_s: float
    connected_s: float
    body_sent_s: float
    first_byte_s: float
    ended_s: float
    status: int
    error: str
    correct: int
    connection: int
    local_port: int
    received_bytes: int
    headers: str
    body: str
    input_tokens: int
    output_tokens: int
    first_event: int
    events: int
    closed_s: float = float("nan")
    problem: str = ""
    counted: int = 0
    trial: str = ""  # whose ledger the row is of, "" where it is of none

    @property
    def right(self) -> bool:
        """A whole answer that is the known right one."""
        return self.correct == RIGHT and not self.error

    @property
    def has_another_answer(self) -> bool:
        """A whole 2xx answer that is not the known right one."""
        return not self.error and 200 <= self.status < 300 and self.correct == WRONG

    @property
    def became(self) -> str:
        """What became of it, as a sentence tells it: its error, or how it was answered."""
        if self.error:
            return self.error
        return f"answered {self.status}{' wrongly' if self.has_another_answer else ''}"

    @property
    def latency_s(self) -> float:
        """From the scheduled time to the last byte (coordinated omission: Tene 2013)."""
        return self.ended_s - self.scheduled_s


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Every attempt of a trial, one row each, in columns of equal length n.

    Text columns hold indices into `strings`. `load` names the part of the stimulus that a row belongs to;
    `target` is the pod name where the connection went to a pod's own address, "" where it went to a Service;
    `pod` is the pod that answered, "" where unknown; `group` numbers bursts and rounds. `error` is "" for a
    whole HTTP answer, else refused, reset, timeout, eof, protocol or tls. `status` is 0 without an answer,
    `correct` 1, 0 or -1 (not judged). `headers` is JSON of the headers that a check may want, `body` the first
    4 KiB of an answer that was not right. Of a stream, `events` is the number of its events that brought something
    generated, and `event_s[first_event : first_event + events]` are the times at which they arrived; tokens are as the
    server reported them, output tokens else the number of events (`counted` is 1 then), and -1 where nothing is known.
    A stream ends with its end mark: `closed_s` is when its HTTP answer was over, or given up, of other rows their
    `ended_s`. `problem` is what is wrong with an answer that came whole, as far as its API tells; of a
    right stream, that its HTTP answer did not end.
    """

    row: Ints
    load: Codes
    target: Codes
    case: Codes
    pod: Codes
    group: Ints
    scheduled_s: Floats
    sent_s: Floats
    connected_s: Floats
    body_sent_s: Floats
    first_byte_s: Floats
    ended_s: Floats
    status: Ints
    error: Codes
    correct: Ints
    connection: Ints
    local_port: Ints
    received_bytes: Ints
    headers: Codes
    body: Codes
    input_tokens: Ints
    output_tokens: Ints
    first_event: Ints
    events: Ints
    closed_s: Floats
    problem: Codes
    counted: Ints
    strings: tuple[str, ...]
    event_s: Floats = field(default_factory=lambda: np.empty(0))
    trial: str = ""

    def __len__(self) -> int:
        return len(self.row)

    def __iter__(self) -> Iterator[Request]:
        names = COLUMNS
        columns = [
            [self.strings[code] for code in getattr(self, name)] if name in TEXT else getattr(self, name).tolist()
            for name in names
        ]
        for values in zip(*columns, strict=True):
            yield Request(**dict(zip(names, values, strict=True)), trial=self.trial)

    def code(self, text: str) -> int:
        """The index of a text in `strings`, or -1."""
        try:
            return self.strings.index(text)
        except ValueError:
            return -1

    def texts(self, column: str) -> list[str]:
        """A text column as strings, length n."""
        return [self.strings[code] for code in getattr(self, column)]

    def select(self, mask: Mask) -> Ledger:
        """The rows where mask (shape (n,)) holds."""
        columns: dict[str, Any] = {name: getattr(self, name)[mask] for name in COLUMNS}
        return Ledger(**columns, strings=self.strings, event_s=self.event_s, trial=self.trial)

    def of(self, *loads: str) -> Ledger:
        """The rows of the named loads."""
        return self.select(np.isin(self.load, [self.code(load) for load in loads]))

    def to(self, *pods: str) -> Ledger:
        """The rows whose connection went to these pods' own addresses."""
        return self.select(np.isin(self.target, [self.code(pod) for pod in pods]))

    def answered_by(self, *pods: str) -> Ledger:
        """The rows that these pods answered, as far as known."""
        return self.select(np.isin(self.pod, [self.code(pod) for pod in pods]))

    def in_group(self, group: int) -> Ledger:
        """The rows of one burst or round."""
        return self.select(self.group == group)

    def between(self, start_s: float, end_s: float) -> Ledger:
        """The rows scheduled in [start_s, end_s)."""
        return self.select((self.scheduled_s >= start_s) & (self.scheduled_s < end_s))

    def open_at(self, at_s: float) -> Ledger:
        """The rows sent at or before at_s and not ended by then."""
        return self.select((self.sent_s <= at_s) & ~(self.ended_s <= at_s))

    def with_status(self, *statuses: int) -> Ledger:
        """The rows answered with one of these statuses."""
        return self.select(np.isin(self.status, statuses))

    @property
    def right(self) -> Mask:
        """Rows with a whole and right answer, shape (n,)."""
        right: Mask = np.logical_and(self.error == self.code(""), self.correct == RIGHT)
        return right

    @property
    def latency_s(self) -> Floats:
        """Scheduled time to last byte, shape (n,); NaN where nothing ended."""
        return self.ended_s - self.scheduled_s


COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(Ledger) if f.name not in ("strings", "event_s", "trial"))
TEXT: frozenset[str] = frozenset({"load", "target", "case", "pod", "error", "headers", "body", "problem"})
FLOATS: frozenset[str] = frozenset(name for name in COLUMNS if name.endswith("_s"))
NUMBER_DEFAULTS: Mapping[str, int] = {"correct": UNJUDGED, "connection": -1, "input_tokens": -1, "output_tokens": -1}


def ledger(rows: Iterable[Mapping[str, Any]]) -> Ledger:
    """A ledger from rows given by column name; what a row leaves out is NaN, 0, "" (NUMBER_DEFAULTS has exceptions).

    Raises KeyError for a name that is not a column.
    """
    listed = list(rows)
    given_names = set().union(*listed)
    if unknown := given_names - set(COLUMNS):
        raise KeyError(f"expected columns of the ledger, found {sorted(unknown)}; the columns are {COLUMNS}")
    strings: dict[str, int] = {"": 0}
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        if name not in given_names:
            columns[name] = _left_out(name, len(listed))
        elif name in TEXT:
            codes = [strings.setdefault(str(given.get(name, "")), len(strings)) for given in listed]
            columns[name] = np.asarray(codes, dtype=np.int32)
        else:
            defaults = _left_out(name, len(listed))
            values = [given.get(name, default) for given, default in zip(listed, defaults.tolist(), strict=True)]
            columns[name] = np.asarray(values, dtype=defaults.dtype)
    return Ledger(**columns, strings=tuple(strings))


def _left_out(name: str, rows: int) -> NDArray[Any]:
    """The column of rows that say nothing of it, shape (rows,)."""
    if name in TEXT:
        return np.zeros(rows, dtype=np.int32)
    if name in FLOATS:
        return np.full(rows, np.nan)
    if name == "row":
        return np.arange(rows, dtype=np.int64)
    return np.full(rows, NUMBER_DEFAULTS.get(name, 0), dtype=np.int64)


def joined(ledgers: Iterable[Ledger]) -> Ledger:
    """All rows of several ledgers, numbered anew in the order of their scheduled times."""
    parts = list(ledgers)
    if not parts:
        return ledger([])
    strings: dict[str, int] = {"": 0}
    recodes = [
        np.asarray([strings.setdefault(text, len(strings)) for text in part.strings], dtype=np.int32) for part in parts
    ]
    events_before = np.cumsum([0, *(len(part.event_s) for part in parts)])
    order = np.argsort(np.concatenate([part.scheduled_s for part in parts]), kind="stable")

    def whole(name: str) -> NDArray[Any]:
        found = []
        for part, recode, before in zip(parts, recodes, events_before[:-1], strict=True):
            values = getattr(part, name)
            if name == "first_event":
                values = values + before
            found.append(recode[values] if name in TEXT and len(values) else values)
        return np.concatenate(found)[order]

    # One column after the other: of millions of rows, all of them unordered and ordered at once would not fit.
    columns: dict[str, Any] = {name: whole(name) for name in COLUMNS if name != "row"}
    return Ledger(
        row=np.arange(len(order), dtype=np.int64),
        **columns,
        strings=tuple(strings),
        event_s=np.concatenate([part.event_s for part in parts]),
    )
