"""Retry-After is given on every declared refusal, and keeping silent for that long is enough, and not far too long.

Source: RFC 9110, section 10.2.3; contract `limits.rate.reject`.
"""

from seatrial.contract import RateLimit, RetryAfter
from seatrial.ledger import Request
from seatrial.stats.proportions import zero_event_bound
from seatrial.suite import check
from seatrial.trials.rate_limit import (
    EXHAUST,
    FLOOD,
    HONEST_ROUNDS,
    NOT_EXHAUSTED,
    SATURATE,
    RateLimited,
    promised_wait_s,
)
from seatrial.verdict import Ground, Measurement, Verdict

WANTED_REFUSALS = 100
SLACK_S = 2.0
# An admission after a longer silence than promised may be owed to the rest. Planned are 0.05 s, and 1 s after a date.
LATE_S, LATE_DATE_S = 0.1, 1.1


@check("L2", level="MUST", ablation=NOT_EXHAUSTED)
def retry_after_honest(limit: RateLimit, retry_after: RetryAfter, limited: RateLimited) -> Verdict:
    refused = limited.ledger.of(SATURATE, EXHAUST, FLOOD).with_status(limit.reject.status)
    ground = Ground(n=len(refused))
    unreadable = [row for row in refused if promised_wait_s(row, limited.wall_origin_s) is None]
    if unreadable:
        return ground.failed(
            "a Retry-After on every refusal: whole seconds, or a date that is not over",
            f"{len(unreadable)} of {len(refused)} without one that can be read, the first has {_given(unreadable[0])}",
            "send Retry-After with every declared refusal, best as whole seconds",
            rows=unreadable,
        )
    honest = [wait for wait in limited.waits if not wait.searched and wait.promised_s is not None]
    waited = ground.with_(
        evidence=[
            f"round {wait.index}: promised {wait.promised_s or 0:g} s, {_outcome(wait.admitted)}" for wait in honest
        ]
    )
    if early := [wait for wait in honest if not wait.admitted]:
        return waited.failed(
            f"{len(honest)} of {len(honest)} admitted after the promised wait",
            f"{len(honest) - len(early)} admitted; round {early[0].index} was refused after {early[0].waited_s:.2f} s "
            f"of silence, {early[0].promised_s:g} s promised",
            "compute Retry-After from the time at which a token will be there, and round up",
        )
    shortest_s = min((wait.waited_s for wait in limited.waits if wait.admitted), default=float("inf"))
    longest_s = max((wait.promised_s or 0.0 for wait in limited.waits), default=0.0)
    most_s = shortest_s + max(SLACK_S, shortest_s)
    limit_s = f"<= {most_s:.2f} s (true wait {shortest_s:.2f} s or less)"
    waited = waited.with_(
        measurements=[Measurement("promised wait, longest", longest_s, "s", n=len(limited.waits), limit=limit_s)]
    )
    if longest_s > most_s:
        return waited.failed(
            f"a promised wait near the true one, {shortest_s:.2f} s or less",
            f"{longest_s:g} s promised",
            "do not ask clients to wait much longer than the limiter needs",
        )
    late_s = {wait.index: wait.waited_s - (wait.promised_s or 0.0) for wait in honest}
    in_time = [
        wait for wait in honest if late_s[wait.index] <= (LATE_S if _whole(wait.promised_s or 0.0) else LATE_DATE_S)
    ]
    if len(refused) < WANTED_REFUSALS or len(honest) < HONEST_ROUNDS:
        return ground.inconclusive(
            f"{WANTED_REFUSALS} refusals, and {HONEST_ROUNDS} silent waits after the bucket was exhausted",
            f"{len(refused)} refusals, {len(honest)} waits",
            "see that the limit is on and that its demand reaches one replica",
        )
    if len(in_time) < HONEST_ROUNDS:
        return waited.inconclusive(
            f"{HONEST_ROUNDS} waits no more than {LATE_S:g} s longer than promised ({LATE_DATE_S:g} s for a date)",
            f"{len(in_time)}; others were up to {max(late_s.values()):.2f} s longer",
            "run again on a quieter machine",
        )
    return waited.passed(
        "Retry-After on every refusal, enough and not far too long",
        f"{len(refused)} refusals with one; {len(honest)} of {len(honest)} admitted after the wait",
        detects=f"a wait too short in {zero_event_bound(len(honest)):.0%} of refusals, or too long by {SLACK_S:g} s",
    )


def _given(row: Request) -> str:
    return "none" if "retry-after" not in row.headers else row.headers[:120]


def _whole(promised_s: float) -> bool:
    """Whether a wait was promised in seconds; a date has a fraction of one left."""
    return promised_s.is_integer()


def _outcome(admitted: bool) -> str:
    return "admitted" if admitted else "refused"
