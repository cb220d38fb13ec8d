"""A saturated limiter admits what its configuration says, at two settings.

Source: contract `limits.rate`; a token bucket admits at most burst + rate x t + 1 in any window of length t, and once
it is empty exactly the rate.
"""

from seatrial.contract import RateLimit
from seatrial.stats.buckets import judge_bucket
from seatrial.suite import check
from seatrial.trials.rate_limit import SATURATE, THIRD_OF_THE_DEMAND, RateLimited
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed

WANTED_DEMAND = 3.0
FIRST_S = 1.0


@check("L3", level="MUST", ablation=THIRD_OF_THE_DEMAND)
def admitted_rate_as_configured(limit: RateLimit, limited: RateLimited) -> Verdict:
    measured: list[Measurement] = []
    facts: list[str] = []
    unsure: list[str] = []
    n = 0
    for window in limited.windows:
        rows = limited.ledger.of(SATURATE).in_group(window.index)
        length_s = window.end_s - window.start_s
        demand = len(rows) / length_s
        if demand < WANTED_DEMAND * window.per_second:
            return inconclusive(
                f"a demand of {WANTED_DEMAND:g} times the rate throughout",
                f"{demand:.1f}/s at a rate of {window.per_second:g}/s",
                "see that nothing holds back the generator",
                n=len(rows),
            )
        lost = rows.select((rows.error != rows.code("")) | ((rows.status != limit.reject.status) & ~rows.right))
        if len(lost):
            one = next(iter(lost))
            return failed(
                f"every row a right answer or a refusal with {limit.reject.status}",
                f"{len(lost)} neither, the first {one.error or f'answered {one.status}'}",
                "refuse with the declared status, and answer what was admitted",
                n=len(rows),
                rows=lost,
            )
        admitted = rows.status != limit.reject.status
        judged = judge_bucket(rows.sent_s, rows.first_byte_s, admitted, window.per_second, window.burst)
        first = rows.select(admitted & (rows.sent_s < window.start_s + FIRST_S))
        n += len(rows)
        at = f"at {window.per_second:g}/s with burst {window.burst:g}"
        if judged.steady:
            span_s = judged.steady.end_s - judged.steady.start_s
            measured.append(
                Measurement(
                    f"admitted {at}, once empty", judged.steady.admitted / span_s, "/s", n=judged.steady.admitted,
                    limit=f"{judged.steady.ideal / span_s:.2f} +- {judged.steady.tolerance / span_s:.2f} /s",
                )
            )  # fmt: skip
        facts.append(
            f"{at}: {int(admitted.sum())} of {len(rows)} admitted in {length_s:.0f} s, {len(first)} in the first second"
        )
        if judged.decision == "fail":
            over = judged.excess
            found = facts[-1]
            if over and over.admitted > over.allowed:
                found = (
                    f"{at}: {over.admitted} admitted in {over.end_s - over.start_s:.2f} s, allowed {over.allowed:.1f}"
                )
            elif judged.steady:
                found = f"{at}: {judged.steady.admitted} admitted once empty, a bucket admits {judged.steady.ideal}"
            return failed(
                "admissions of a token bucket of the configured rate and burst", found,
                "keep one bucket for the declared scope, with the configured rate and burst",
                n=n, measurements=measured, evidence=facts,
            )  # fmt: skip
        offered_first = int((rows.sent_s < window.start_s + FIRST_S).sum())
        if window.burst >= 2 * window.per_second and offered_first < window.burst:
            unsure.append(f"{at}: {offered_first} cases sent in the first second, too few for the burst")
        elif window.burst >= 2 * window.per_second and len(first) < window.burst:
            return failed(
                f"a burst of {window.burst:g} admitted at once", f"{at}: {len(first)} in the first second",
                "let the bucket hold the configured burst", n=n, measurements=measured, evidence=facts,
            )  # fmt: skip
        if judged.decision == "between":
            unsure.append(f"{at}: the bucket was not seen empty for long enough")
    if unsure or len(limited.windows) < 2:
        return inconclusive(
            "two configured rates, each with the bucket proven empty", (unsure or ["one setting only"])[0],
            "tie limits.rate.per_second to its Helm value, and see that refusals carry the declared status",
            n=n, measurements=measured, evidence=facts,
        )  # fmt: skip
    return passed(
        "admissions of a token bucket of the configured rate and burst, at two settings",
        "; ".join(facts),
        n=n,
        measurements=measured,
        detects="a rate off by 5%, or a burst off by 2",
    )
