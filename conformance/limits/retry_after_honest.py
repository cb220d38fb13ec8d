"""Retry-After is given on every declared refusal, and keeping silent for that long is enough, and not far too long.

Source: RFC 9110, section 10.2.3; contract `limits.rate.reject`.
"""

from collections.abc import Sequence

from seatrial.contract import RateLimit, RetryAfter
from seatrial.ledger import Request
from seatrial.stats.proportions import zero_event_bound
from seatrial.suite import check
from seatrial.trials.rate_limit import FLOOD, HONEST_ROUNDS, NOT_EXHAUSTED, SATURATE, RateLimited
from seatrial.trials.silent_wait import EXHAUST, Patience, promised_wait_s
from seatrial.trials.slow_refill import SUFFIX, SlowRefill
from seatrial.verdict import Ground, Measurement, Verdict

WANTED_REFUSALS, WANTED_SLOW = 100, 3
SLACK_S = 2.0
# An admission after a longer silence than promised may be owed to the rest. Planned are 0.05 s, and 1 s after a date.
LATE_S, LATE_DATE_S = 0.1, 1.1


@check("L2", level="MUST", ablation=NOT_EXHAUSTED)
def retry_after_honest(limit: RateLimit, retry_after: RetryAfter, limited: RateLimited) -> Verdict:
    refused = limited.ledger.of(SATURATE, EXHAUST, f"{EXHAUST}{SUFFIX}", FLOOD).with_status(limit.reject.status)
    ground = Ground(n=len(refused))
    unreadable = [row for row in refused if promised_wait_s(row, limited.wall_origin_s) is None]
    if unreadable:
        return ground.failed(
            "a Retry-After on every refusal: whole seconds, or a date that is not over",
            f"{len(unreadable)} of {len(refused)} without one that can be read, the first has {_given(unreadable[0])}",
            "send Retry-After with every declared refusal, best as whole seconds",
            rows=unreadable,
        )
    honest, slow = taken_at_their_word(limited.waits), limited.slow
    waited = ground.with_(evidence=told(honest))
    if broken := broken_promise(waited, honest):
        return broken
    # The bucket was as empty in every round: what was enough in one is the true wait of all.
    enough_s = min((wait.waited_s for wait in limited.waits if wait.admitted), default=float("inf"))
    waited = waited.with_(measurements=[longest(limited.waits, enough_s)])
    if broken := far_too_long(waited, limited.waits, enough_s):
        return broken
    honest_slow = taken_at_their_word(slow.waits if slow else ())
    if slow:
        at = f" at {slow.per_second:g}/s"
        waited = waited.with_(evidence=told(honest_slow, at))
        if broken := broken_promise(waited, honest_slow, at) or far_too_long(
            waited, slow.waits, 1 / slow.per_second, at
        ):
            return broken
    if len(refused) < WANTED_REFUSALS or len(honest) < HONEST_ROUNDS:
        return ground.inconclusive(
            f"{WANTED_REFUSALS} refusals, and {HONEST_ROUNDS} silent waits after the bucket was exhausted",
            f"{len(refused)} refusals, {len(honest)} waits",
            "see that the limit is on and that its demand reaches one replica",
        )
    if len(in_time(honest)) < HONEST_ROUNDS:
        return waited.inconclusive(
            f"{HONEST_ROUNDS} waits no more than {LATE_S:g} s longer than promised ({LATE_DATE_S:g} s for a date)",
            f"{len(in_time(honest))}; others were up to {max(map(late_s, honest)):.2f} s longer",
            "run again on a quieter machine",
        )
    if slow and not slow.why_not and len(in_time(honest_slow)) < WANTED_SLOW:
        return waited.inconclusive(
            f"{WANTED_SLOW} such waits at {slow.per_second:g}/s",
            f"{len(in_time(honest_slow))}",
            "run again on a quieter machine; see that the limit is on at that rate, too",
        )
    excluded = f"a wait too short in {zero_event_bound(len(honest)):.0%} of refusals, or too long by {SLACK_S:g} s"
    return waited.passed(
        "Retry-After on every refusal, enough and not far too long",
        f"{len(refused)} refusals with one; {len(honest)} of {len(honest)} admitted after the wait{slowly(slow)}",
        detects=excluded + (f"; one that is too short at {slow.per_second:g}/s" if honest_slow and slow else ""),
    )


def broken_promise(waited: Ground, honest: Sequence[Patience], at: str = "") -> Verdict | None:
    """A request that was refused although the client kept silent for as long as it was told to."""
    early = [wait for wait in honest if not wait.admitted]
    if not early:
        return None
    return waited.failed(
        f"{len(honest)} of {len(honest)} admitted after the promised wait{at}",
        f"{len(honest) - len(early)} admitted; round {early[0].index} was refused after {early[0].waited_s:.2f} s "
        f"of silence, {early[0].promised_s:g} s promised",
        "compute Retry-After from the time at which a token will be there, and round up",
    )


def far_too_long(waited: Ground, waits: Sequence[Patience], enough_s: float, at: str = "") -> Verdict | None:
    """A promise of far more than a wait that is enough."""
    longest_s = longest(waits, enough_s).value
    if longest_s <= borne_s(enough_s):
        return None
    return waited.failed(
        f"a promised wait near the true one, {enough_s:.2f} s or less{at}",
        f"{longest_s:g} s promised",
        "do not ask clients to wait much longer than the limiter needs",
    )


def taken_at_their_word(waits: Sequence[Patience]) -> list[Patience]:
    """Those in which the client did as it was told."""
    return [wait for wait in waits if not wait.searched and wait.promised_s is not None]


def in_time(honest: Sequence[Patience]) -> list[Patience]:
    """Those after which an admission is owed to the promise, and not to more silence than that."""
    return [
        wait for wait in honest if late_s(wait) <= (LATE_S if (wait.promised_s or 0.0).is_integer() else LATE_DATE_S)
    ]


def late_s(wait: Patience) -> float:
    """How much longer than promised the client was silent. A date has a fraction of a second left; seconds have not."""
    return wait.waited_s - (wait.promised_s or 0.0)


def longest(waits: Sequence[Patience], enough_s: float) -> Measurement:
    """The longest promise."""
    longest_s = max((wait.promised_s or 0.0 for wait in waits), default=0.0)
    limit_s = f"<= {borne_s(enough_s):.2f} s (true wait {enough_s:.2f} s or less)"
    return Measurement("promised wait, longest", longest_s, "s", n=len(waits), limit=limit_s)


def borne_s(enough_s: float) -> float:
    """The longest promise that is near enough to the true wait."""
    return enough_s + max(SLACK_S, enough_s)


def told(honest: Sequence[Patience], at: str = "") -> list[str]:
    """Each promise, and what became of it."""
    return [
        f"round {wait.index}{at}: promised {wait.promised_s or 0:g} s, {'admitted' if wait.admitted else 'refused'}"
        for wait in honest
    ]


def slowly(slow: SlowRefill | None) -> str:
    """What was seen at the slow rate."""
    if slow is None:
        return ""
    if slow.why_not:
        return f"; not tried at {slow.per_second:g}/s: {slow.why_not}"
    honest = len(taken_at_their_word(slow.waits))
    return f"; {honest} of {honest} at {slow.per_second:g}/s, where a token takes {1 / slow.per_second:.1f} s"


def _given(row: Request) -> str:
    return "none" if "retry-after" not in row.headers else row.headers[:120]
