"""A limiter that is exhausted, and taken at its word: nobody asks before what its last refusal promised is over.

Source: RFC 9110, section 10.2.3, Retry-After.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from seatrial.contract import RateLimit
from seatrial.ledger import Ledger, Request
from seatrial.traffic.plan import Load, OpenLoop, PodTarget
from seatrial.trials import workload
from seatrial.trials.sandbox import Sandbox

EXHAUST, RETRY, SEARCH = "exhaust", "retry", "search"
LATE_S, LATE_DATE_S = 0.05, 1.0  # after the promise: a date has whole seconds, of another clock
SHORT_S, ANSWERED_S = 0.5, 0.02  # a promise too short to be read here first; how soon a refusal is answered
WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Patience:
    """One silent wait after the bucket was exhausted: what was promised, what was kept, and what came of it."""

    index: int
    searched: bool  # shorter than promised, to find the true wait; else the promise itself
    promised_s: float | None  # None: no Retry-After that can be read
    waited_s: float
    admitted: bool


@dataclass(frozen=True, slots=True)
class Limiter:
    """Whose word is taken: one pod's limiter of this rate. `suffix` ends the names of its loads."""

    target: PodTarget
    per_second: float
    suffix: str = ""

    @property
    def longest_s(self) -> float:
        """No bucket of this rate needs so long for a token: a longer promise is not worth waiting for."""
        return 2 / self.per_second + 3.0

    def load(self, name: str, sandbox: Sandbox, arrivals_s: Sequence[float], index: int) -> OpenLoop:
        """Cases in turn at these moments, in group `index`."""
        cases, count = workload.cases(sandbox.context.contract), len(arrivals_s)
        picks, groups = workload.in_turn(count, len(cases)), [index] * count
        return OpenLoop(f"{name}{self.suffix}", self.target, cases, arrivals_s, picks, groups, timeout_s=WITHIN_S)


def silent_wait(
    sandbox: Sandbox,
    limiter: Limiter,
    index: int,
    arrivals_s: Sequence[float],
    *,
    share: float = 1.0,
    expected_s: float | None = None,
) -> Patience:
    """Ask at these moments, counted from the start, of which the last are to be refused; keep silent; ask once.

    With a share below 1 less than the promised wait is kept, to find the true one. `expected_s` is what the limiter
    promised last.
    """
    searching = share < 1.0
    loads: list[Load] = [limiter.load(EXHAUST, sandbox, arrivals_s, index)]
    if expected_s is not None and expected_s <= SHORT_S:
        # A promise this short is over before its answer has come here: the generator has to take it at its word.
        again_s = arrivals_s[-1] + ANSWERED_S + expected_s + LATE_S
        loads.append(limiter.load(RETRY, sandbox, (again_s,), index))
    rows = sandbox.traffic.collect(sandbox.traffic.start_now(*loads))
    refused = last_refused(rows.of(loads[0].name), sandbox.context.contract.limits.rate)
    wall_origin_s = sandbox.context.clock.wall_origin_s
    promised_s = promised_wait_s(refused, wall_origin_s) if refused else None
    told_s = float(refused.first_byte_s) if refused else sandbox.now()
    for row in rows.of(*(load.name for load in loads[1:])):
        if promised_s is not None and promised_s == expected_s and row.sent_s - told_s >= promised_s:
            return Patience(index, False, promised_s, row.sent_s - told_s, row.right)
    waited_s = (promised_s if promised_s is not None else 1.0) * share
    if waited_s > limiter.longest_s:
        waited_s, searching = limiter.longest_s, True
    elif not searching:
        waited_s += LATE_DATE_S if refused and not _given(refused).isdigit() else LATE_S
    at_s = max(told_s + waited_s, sandbox.now() + 0.1)
    again = sandbox.traffic.send(limiter.load(SEARCH if searching else RETRY, sandbox, (at_s,), index))
    row = next(iter(again))
    return Patience(index, searching, promised_s, row.sent_s - told_s, row.right)


def last_refused(rows: Ledger, limit: RateLimit | None) -> Request | None:
    """The refusal that was answered last, which speaks for an empty bucket."""
    if limit is None:
        return None
    refused = rows.with_status(limit.reject.status)
    return max(refused, key=lambda row: row.first_byte_s, default=None)


def promised_wait_s(row: Request, wall_origin_s: float) -> float | None:
    """The wait that a Retry-After header asks for, in seconds from the answer; None where it cannot be read.

    Whole seconds, or a date (RFC 9110, 10.2.3) that is not over: one within the present second asks for no wait.
    """
    value = _given(row)
    if value.isdigit() and value.isascii():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    wait_s = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - (wall_origin_s + row.first_byte_s)
    return max(wait_s, 0.0) if wait_s > -1.0 else None


def _given(row: Request) -> str:
    value: str = json.loads(row.headers or "{}").get("retry-after", "")
    return value.strip()
