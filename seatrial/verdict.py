"""What a check says: an outcome with the measured values, what was expected and found, and the evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypedDict, Unpack

from seatrial.ledger import Ledger, Request


class Outcome(StrEnum):
    """Nothing seen is never a pass."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured value with its interval and the limit it was held against."""

    name: str
    value: float
    unit: str = ""
    n: int | None = None
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    limit: str = ""  # as a person writes it: "<= 0.25 s"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A row of a trial's ledger, where it can be found again."""

    trial: str  # "" where it is not known
    row: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one check. `decisive` are the requests that decided it."""

    outcome: Outcome
    expected: str
    found: str
    do: str = ""
    n: int | None = None
    measurements: tuple[Measurement, ...] = ()
    decisive: tuple[Evidence, ...] = ()
    evidence: tuple[str, ...] = ()  # decisive facts as sentences: events, states, log lines
    detects: str = ""  # the smallest fault that a pass excludes
    blocked_by: str = ""  # the id of the check whose failure kept this one from judging

    @property
    def rows(self) -> tuple[int, ...]:
        """The numbers of the decisive rows, each in the ledger of its trial."""
        return tuple(place.row for place in self.decisive)


MOST_ROWS = 20


class Grounds(TypedDict, total=False):
    """What a judgement may be given with; all of it can be left out."""

    n: int | None
    measurements: Iterable[Measurement]
    rows: Iterable[Request] | Ledger  # that decided it; the first 20 are kept
    evidence: Iterable[str]


def _verdict(
    outcome: Outcome,
    expected: str,
    found: str,
    do: str = "",
    *,
    n: int | None = None,
    measurements: Iterable[Measurement] = (),
    rows: Iterable[Request] | Ledger = (),
    evidence: Iterable[str] = (),
    detects: str = "",
    blocked_by: str = "",
) -> Verdict:
    decisive = tuple(Evidence(request.trial, int(request.row)) for request in islice(rows, MOST_ROWS))
    return Verdict(outcome, expected, found, do, n, tuple(measurements), decisive, tuple(evidence), detects, blocked_by)


def passed(expected: str, found: str, *, detects: str = "", **grounds: Unpack[Grounds]) -> Verdict:
    """The promise held, with n observations; `detects` says what this n could not have missed."""
    return _verdict(Outcome.PASS, expected, found, detects=detects, **grounds)


def failed(expected: str, found: str, do: str, **grounds: Unpack[Grounds]) -> Verdict:
    """The promise was broken, and this is the evidence; `do` tells the service's author what to change."""
    return _verdict(Outcome.FAIL, expected, found, do, **grounds)


def inconclusive(expected: str, found: str, do: str, *, blocked_by: str = "", **grounds: Unpack[Grounds]) -> Verdict:
    """A precondition did not hold, or too little was seen; `do` tells the operator how to get a judgement."""
    return _verdict(Outcome.INCONCLUSIVE, expected, found, do, blocked_by=blocked_by, **grounds)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a judgement rests on: every verdict given on it carries the count, the measurements and the sentences.

    It grows by `with_`, as a check goes on: a verdict carries what was known when it was given.
    """

    n: int | None = None
    measurements: tuple[Measurement, ...] = ()
    evidence: tuple[str, ...] = ()

    def with_(self, *, n: int = 0, measurements: Iterable[Measurement] = (), evidence: Iterable[str] = ()) -> Ground:
        """The same ground with n more seen, more measured, or more facts told."""
        return Ground(
            self.n if n == 0 else (self.n or 0) + n,
            (*self.measurements, *measurements),
            (*self.evidence, *evidence),
        )

    def passed(self, expected: str, found: str, *, detects: str = "") -> Verdict:
        """As `passed`, on this ground."""
        return passed(
            expected, found, detects=detects, n=self.n, measurements=self.measurements, evidence=self.evidence
        )

    def failed(self, expected: str, found: str, do: str, *, rows: Iterable[Request] | Ledger = ()) -> Verdict:
        """As `failed`, on this ground; `rows` decided it."""
        return failed(expected, found, do, n=self.n, measurements=self.measurements, rows=rows, evidence=self.evidence)

    def inconclusive(
        self, expected: str, found: str, do: str, *, rows: Iterable[Request] | Ledger = (), blocked_by: str = ""
    ) -> Verdict:
        """As `inconclusive`, on this ground; `rows` kept it from judging."""
        return inconclusive(
            expected,
            found,
            do,
            blocked_by=blocked_by,
            n=self.n,
            measurements=self.measurements,
            rows=rows,
            evidence=self.evidence,
        )


def skipped(reason: str) -> Verdict:
    """The contract does not make the promise, or the cluster lacks what the check needs."""
    return Verdict(Outcome.SKIPPED, "the promise is made, and the cluster can show it", reason)


def errored(found: str, do: str) -> Verdict:
    """Seatrial or the cluster broke while the check was to be judged."""
    return Verdict(Outcome.ERROR, "the trial and the check run to their end", found, do)
