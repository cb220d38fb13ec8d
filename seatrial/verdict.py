"""What a check says: an outcome with the measured values, what was expected and found, and the evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from seatrial.observation import Ledger, Request


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
class Verdict:
    """The judgement of one check. `rows` are rows of the trial's ledger that decided it."""

    outcome: Outcome
    expected: str
    found: str
    do: str = ""
    n: int | None = None
    measurements: tuple[Measurement, ...] = ()
    rows: tuple[int, ...] = ()
    evidence: tuple[str, ...] = ()  # decisive facts as sentences: events, states, log lines
    detects: str = ""  # the smallest fault that a pass excludes
    blocked_by: str = ""  # the id of the check whose failure kept this one from judging


MOST_ROWS = 20


def _rows(rows: Iterable[Request] | Ledger) -> tuple[int, ...]:
    return tuple(int(request.row) for request in rows)[:MOST_ROWS]


def passed(
    expected: str,
    found: str,
    *,
    n: int | None = None,
    measurements: Iterable[Measurement] = (),
    detects: str = "",
    evidence: Iterable[str] = (),
) -> Verdict:
    """The promise held, with n observations; `detects` says what this n could not have missed."""
    return Verdict(
        Outcome.PASS, expected, found, n=n, measurements=tuple(measurements), detects=detects, evidence=tuple(evidence)
    )


def failed(
    expected: str,
    found: str,
    do: str,
    *,
    n: int | None = None,
    measurements: Iterable[Measurement] = (),
    rows: Iterable[Request] | Ledger = (),
    evidence: Iterable[str] = (),
) -> Verdict:
    """The promise was broken, and this is the evidence; `do` tells the service's author what to change."""
    return Verdict(
        Outcome.FAIL,
        expected,
        found,
        do,
        n=n,
        measurements=tuple(measurements),
        rows=_rows(rows),
        evidence=tuple(evidence),
    )


def inconclusive(
    expected: str,
    found: str,
    do: str,
    *,
    n: int | None = None,
    measurements: Iterable[Measurement] = (),
    rows: Iterable[Request] | Ledger = (),
    evidence: Iterable[str] = (),
    blocked_by: str = "",
) -> Verdict:
    """A precondition did not hold, or too little was seen; `do` tells the operator how to get a judgement."""
    return Verdict(
        Outcome.INCONCLUSIVE,
        expected,
        found,
        do,
        n=n,
        measurements=tuple(measurements),
        rows=_rows(rows),
        evidence=tuple(evidence),
        blocked_by=blocked_by,
    )


def skipped(reason: str) -> Verdict:
    """The contract does not make the promise, or the cluster lacks what the check needs."""
    return Verdict(Outcome.SKIPPED, "the promise is made, and the cluster can show it", reason)


def errored(found: str, do: str) -> Verdict:
    """Seatrial or the cluster broke while the check was to be judged."""
    return Verdict(Outcome.ERROR, "the trial and the check run to their end", found, do)
