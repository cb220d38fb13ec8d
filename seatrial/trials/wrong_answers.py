"""What became of the answers that were not right under load, told apart by who has to do what.

An answer of another case went astray. One that no case has is the service's or the contract's mistake: what the same
case got alone tells which. An error status is a refusal that the contract does not declare, or a failure; and some
requests get no whole answer at all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seatrial.contract import Answer, Api, Case
from seatrial.ledger import Ledger, Request
from seatrial.traffic.answers import contains

TOLD = 120  # characters of an answer
REFUSALS = (429, 503)  # RFC 6585 and RFC 9110: come again later
KEEP_APART = "keep each answer with its request through batch, cache and handler; share no variable between them"


@dataclass(frozen=True, slots=True)
class Foreign:
    """An answer that is another case's, `owner`."""

    row: Request
    owner: str


@dataclass(frozen=True, slots=True)
class WrongAnswers:
    """The requests of one load without their right answer, each in one of these."""

    api: Api
    foreign: tuple[Foreign, ...]
    unknown: tuple[Request, ...]  # a whole 2xx answer that no case has
    refused: tuple[Request, ...]  # any other status
    lost: tuple[Request, ...]  # no whole answer

    @staticmethod
    def of(api: Api, wrong: Iterable[Request]) -> WrongAnswers:
        foreign, unknown, refused, lost = [], [], [], []
        for row in wrong:
            owner = owner_of(api, row)
            if row.error:
                lost.append(row)
            elif not 200 <= row.status < 300:
                refused.append(row)
            elif owner and owner != row.case:
                foreign.append(Foreign(row, owner))
            else:
                unknown.append(row)
        return WrongAnswers(api, tuple(foreign), tuple(unknown), tuple(refused), tuple(lost))

    @property
    def decisive(self) -> list[Request]:
        """Those that went astray; without any, all."""
        return [each.row for each in self.foreign] or [*self.unknown, *self.refused, *self.lost]

    def told(self) -> str:
        """How many of each there are, and of the first what was expected beside what was found."""
        others = len(self.unknown) + len(self.refused) + len(self.lost)
        parts = []
        if self.foreign:
            first = self.foreign[0]
            parts.append(f"{first.row.case} got that of {first.owner}: {self.beside(first.row)}")
        if self.unknown:
            row = self.unknown[0]
            parts.append(f"{len(self.unknown)} an answer that no case has, {row.case}: {self.beside(row)}")
        for status, count in Counter(row.status for row in self.refused).most_common():
            row = next(row for row in self.refused if row.status == status)
            parts.append(f"{count} answered {status}, which the contract does not declare{_said(row)}")
        for error, count in Counter(row.error for row in self.lost).most_common():
            parts.append(f"{count} without a whole answer ({error})")
        return f"{len(self.foreign)} got the answer of another, {others} none that is right; {'; '.join(parts)}"

    def beside(self, row: Request) -> str:
        """What a right answer is, and what came."""
        return beside(next((case for name, case in self.api.named_cases() if name == row.case), None), row)

    def do(self, crowd: Ledger, alone: Ledger) -> str:
        """What to do about them; `crowd` is the load, `alone` the same cases when nothing else was open."""
        kinds: Sequence[Sequence[object]] = (self.foreign, self.unknown, self.refused, self.lost)
        if self.foreign or not any(kinds):
            return KEEP_APART
        most = max(kinds, key=len)
        if most is self.unknown:
            return self._about_the_unknown(crowd, alone)
        if most is self.refused:
            status = Counter(row.status for row in self.refused).most_common(1)[0][0]
            if status in REFUSALS:
                return f"declare {status} with the limit that refuses with it (`limits.concurrency.reject`), or answer"
            return f"see the pod's log: why it answers {status} when many ask at once"
        return "see the pod's log: why it ends connections, or does not answer, when many ask at once"

    def _about_the_unknown(self, crowd: Ledger, alone: Ledger) -> str:
        names = {row.case for row in self.unknown}
        never_right = {row.case for row in crowd.select(crowd.right)}.isdisjoint(names)
        of_these = [row for row in alone if row.case in names]
        if never_right and not any(row.right for row in of_these):
            when = ", alone or in company" if of_these else ""
            return (
                f"correct what the contract expects of {_listed(sorted(names))}, or what the service answers: "
                f"no answer to them was right{when}"
            )
        return f"{KEEP_APART}: the same cases get their right answers at other times"


def beside(case: Answer | None, row: Request) -> str:
    """What a right answer to a case is, and what came."""
    right = case.described() if case else "a right answer"
    return f"expected {right}, found {' '.join(row.body.split())[:TOLD] or 'an empty body'}"


def owner_of(api: Api, row: Request) -> str:
    """The case whose answer this is; "" if it is nobody's."""
    if row.error or not 200 <= row.status < 300:
        return ""
    return next((name for name, case in api.named_cases() if is_its_answer(case, row.body, api.tolerance)), "")


def is_its_answer(case: Case, body: str, tolerance: float) -> bool:
    """Whether a body is the answer of a case, or has the text in it that was to be generated."""
    if case.comparator != "subset":
        return bool(case.right) and json.dumps(case.right)[1:-1] in body
    try:
        return contains(json.loads(body), case.right, tolerance)
    except ValueError:
        return False


def _said(row: Request) -> str:
    return f" ({' '.join(row.body.split())[:TOLD]})" if row.body.strip() else ""


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
