"""A saturated limiter admits what its configuration says, at two settings.

Source: contract `limits.rate`; a token bucket is full at first, admits at most burst + rate x t + 1 in any window of
length t, and once it is empty exactly the rate.
"""

import math

import numpy as np

from seatrial.contract import Governed, Limits, RateLimit
from seatrial.ledger import Ledger, Mask
from seatrial.stats.buckets import EPSILON_S, EPSILON_SHARE, SMALL_BURST, BucketJudgement, judge_bucket
from seatrial.stats.full_buckets import tokens_at_first, worst_shortfall
from seatrial.suite import check
from seatrial.trials.changed_setting import NOT_REPLACED, ROLL_OUT
from seatrial.trials.rate_limit import SATURATE, THIRD_OF_THE_DEMAND, RateLimited, Window
from seatrial.trials.slots import for_being_full
from seatrial.verdict import Ground, Measurement, Verdict

WANTED_DEMAND = 3.0
FIRST_S = 1.0
BURST_OFF = 2.0  # tokens, by which a burst that was seen may be off


@check("L3", level="MUST", ablation=THIRD_OF_THE_DEMAND)
def admitted_rate_as_configured(limit: RateLimit, limits: Limits | None, limited: RateLimited) -> Verdict:
    ground = Ground(n=0)
    doubts: list[Verdict] = []
    unsure: list[str] = []
    for window in limited.windows:
        rows, asked = limited.ledger.of(SATURATE).in_group(window.index), limited.asked(window)
        full = for_being_full(asked, limits, limited.slots)
        if other := unlike_a_limiter(limit, full, asked):
            return other
        if doubt := unfit(window, asked.select(full), rows):
            doubts.append(doubt)
        if full.any():
            continue  # whether such a request took a token, nobody can say
        admitted = rows.status != limit.reject.status
        bucket = judge_bucket(rows.sent_s, rows.first_byte_s, admitted, window.per_second, window.burst)
        at_first_s = window.start_s + FIRST_S
        first = rows.select(admitted & (rows.sent_s < at_first_s))
        at = f"at {window.per_second:g}/s with burst {window.burst:g}"
        fact = (
            f"{at}: {int(admitted.sum())} of {len(rows)} admitted in {window.end_s - window.start_s:.0f} s, "
            f"{len(first)} in the first second"
        )
        ground = ground.with_(n=len(rows), measurements=once_empty(at, bucket), evidence=[fact])
        if bucket.decision == "fail" and not window.replaced:
            return unreached(ground, limit, limited.windows[0], rows, admitted, how_it_failed(at, bucket) or fact)
        looks, small = what_it_looks_like(window, rows, admitted)
        if bucket.decision == "fail":
            return ground.failed(
                "admissions of a token bucket of the configured rate and burst",
                (how_it_failed(at, bucket) or fact) + looks,
                small or "keep one bucket for the declared scope, with the configured rate and burst",
            )
        if window.since_first and (kept_back := refused_with_tokens_left(at, window, asked, limit)):
            return ground.failed(
                "every case admitted for which a token was left, from the pod's first request on",
                kept_back + looks,
                small
                or "let a new bucket be full, refill it at the configured rate and without steps, and take "
                "tokens for admitted requests only",
            )
        if window.burst >= 2 * window.per_second:
            offered_first = int((rows.sent_s < at_first_s).sum())
            if offered_first < window.burst:
                unsure.append(f"{at}: {offered_first} cases sent in the first second, too few for the burst")
            elif len(first) < window.burst:
                return ground.failed(
                    f"a burst of {window.burst:g} admitted at once",
                    f"{at}: {len(first)} in the first second",
                    "let the bucket hold the configured burst",
                )
        if bucket.decision == "between":
            unsure.append(f"{at}: the bucket was not seen empty for long enough")
    if doubts:
        return doubts[0]
    if unsure or len(limited.windows) < 2:
        return ground.inconclusive(
            "two configured rates, each with the bucket proven empty",
            (unsure or ["one setting only"])[0],
            "tie limits.rate.per_second to its Helm value, and see that refusals carry the declared status",
        )
    # What is told of each window is the finding itself: no need to say it twice.
    return Ground(ground.n, ground.measurements).passed(
        "admissions of a token bucket of the configured rate and burst, at two settings",
        "; ".join(ground.evidence),
        detects=what_would_show(limited),
    )


def unreached(ground: Ground, limit: RateLimit, before: Window, rows: Ledger, admitted: Mask, how: str) -> Verdict:
    """A changed rate that the pods do not keep, for they are those from before the change."""
    as_before = judge_bucket(rows.sent_s, rows.first_byte_s, admitted, before.per_second, before.burst)
    value = limit.per_second.value if isinstance(limit.per_second, Governed) else "the rate"
    still = f", and keep {before.per_second:g}/s" if as_before.decision != "fail" else ""
    return ground.failed(
        "admissions of a token bucket of the configured rate and burst, once the rate is another",
        f"{how}; {NOT_REPLACED} {value}{still}",
        ROLL_OUT,
    )


def what_it_looks_like(window: Window, rows: Ledger, admitted: Mask) -> tuple[str, str]:
    """What else is to be told of a bucket that is another than configured, and what to do where its burst is too small.

    A bucket that holds next to nothing loses what drips in while no request waits, and looks as if its rate were off.
    """
    held = tokens_at_first(rows.sent_s, admitted, window.per_second)
    if held is None:
        return "; nothing was refused", ""
    if abs(held - window.burst) <= BURST_OFF:
        return "", ""
    has = f"; the bucket held about {held:.0f} for a burst of {window.burst:g}"
    at_its_burst = judge_bucket(rows.sent_s, rows.first_byte_s, admitted, window.per_second, held)
    if at_its_burst.decision == "fail":
        return f"{has}, and its rate is another, too", ""
    return f"{has}, and its rate is as configured", "let the bucket hold the configured burst: its rate is right"


def refused_with_tokens_left(at: str, window: Window, asked: Ledger, limit: RateLimit) -> str:
    """The refusal for which a bucket as configured had the most tokens left; "" where it had none."""
    admitted = asked.status != limit.reject.status
    beyond, refusal = worst_shortfall(asked.sent_s, asked.first_byte_s, admitted, window.per_second, window.burst)
    if beyond <= 0 or refusal is None:
        return ""
    return (
        f"{at}: one refused {refusal.at_s - float(asked.sent_s.min()):.1f} s after the first request, when at most "
        f"{refusal.admitted} of {refusal.due:.1f} tokens were taken"
    )


def what_would_show(limited: RateLimited) -> str:
    """How far a rate or a burst has to be off to fail for certain, by the bounds of the judgements."""
    if not all(window.since_first for window in limited.windows):
        return "a rate off by 5%, or a burst off by 2"
    if any(window.burst < SMALL_BURST for window in limited.windows):
        return "a rate lower by a fifth, or higher by half"
    shares, tokens = [], []
    for window in limited.windows:
        rows = limited.ledger.of(SATURATE).in_group(window.index)
        due = window.per_second * (window.end_s - window.start_s)
        while_open = window.per_second * float(np.median((rows.first_byte_s - rows.sent_s)[rows.right]))
        # A token that nobody had taken yet, and what the judgements bear.
        few, many = 3 + window.per_second * EPSILON_S, 2 + while_open
        shares.append(max(few / due + EPSILON_SHARE, many / due))
        tokens.append(max(few, many))
    return f"a rate off by {math.ceil(100 * max(shares))}%, or a burst off by {math.ceil(min(tokens))}"


def unlike_a_limiter(limit: RateLimit, full: Mask, rows: Ledger) -> Verdict | None:
    """Rows that are neither a right answer nor a declared refusal; None without any. `full` was refused by slots."""
    lost = rows.select(~full & ((rows.error != rows.code("")) | ((rows.status != limit.reject.status) & ~rows.right)))
    if not len(lost):
        return None
    first = next(iter(lost))
    return Ground(n=len(rows)).failed(
        f"every row a right answer or a refusal with {limit.reject.status}",
        f"{len(lost)} neither, the first {first.became}",
        "refuse with the declared status, and answer what was admitted",
        rows=lost,
    )


def unfit(window: Window, full: Ledger, rows: Ledger) -> Verdict | None:
    """What keeps these rows from passing: too little demand, or another limit at work; None if nothing does."""
    ground = Ground(n=len(rows))
    demand = len(rows) / (window.end_s - window.start_s)
    if demand < WANTED_DEMAND * window.per_second:
        return ground.inconclusive(
            f"a demand of {WANTED_DEMAND:g} times the rate throughout",
            f"{demand:.1f}/s at a rate of {window.per_second:g}/s",
            "see that nothing holds back the generator",
        )
    if len(full):
        return ground.inconclusive(
            "refusals by the rate limit alone",
            f"{len(full)} of {len(rows)} by the concurrency limit",
            "raise the concurrency limit, or switch it off, among limits.rate.values",
            rows=full,
        )
    return None


def once_empty(at: str, bucket: BucketJudgement) -> list[Measurement]:
    """The rate of admissions while the bucket was empty, where it was seen so."""
    if not bucket.steady:
        return []
    span_s = bucket.steady.end_s - bucket.steady.start_s
    limit = f"{bucket.steady.ideal / span_s:.2f} +- {bucket.steady.tolerance / span_s:.2f} /s"
    admitted = bucket.steady.admitted
    return [Measurement(f"admitted {at}, once empty", admitted / span_s, "/s", n=admitted, limit=limit)]


def how_it_failed(at: str, bucket: BucketJudgement) -> str:
    """Where a bucket of the configured rate and burst would have done otherwise."""
    over = bucket.excess
    if over and over.admitted > over.allowed:
        return f"{at}: {over.admitted} admitted in {over.end_s - over.start_s:.2f} s, allowed {over.allowed:.1f}"
    if bucket.steady:
        return f"{at}: {bucket.steady.admitted} admitted once empty, a bucket admits {bucket.steady.ideal}"
    return ""
