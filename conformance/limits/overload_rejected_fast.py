"""Under twice its capacity the service answers, or refuses quickly and as declared; nothing else.

Source: contract `limits.concurrency`.
"""

from seatrial.contract import Concurrency
from seatrial.observation import Ledger, Request
from seatrial.stats.proportions import judge_proportion, proportion_limits
from seatrial.suite import check
from seatrial.trials.overload import HARDLY_ANY_OVERLOAD, OVERLOADED, Overload
from seatrial.trials.workload import is_declared_refusal
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed

WANTED_ROWS, WANTED_REJECTS = 600, 300
LATE_SHARE = 0.05


@check("L1", level="MUST", timed=True, ablation=HARDLY_ANY_OVERLOAD)
def overload_rejected_fast(limit: Concurrency, overload: Overload) -> Verdict:
    rows = overload.over
    if len(rows) < WANTED_ROWS or not overload.was_overload:
        return inconclusive(
            f"{WANTED_ROWS} rows of {OVERLOADED}", overload.overload_facts(),
            "declare limits.concurrency as it is, so that the capacity is found", n=len(rows),
        )  # fmt: skip
    rejects = rows.select(rows.status == limit.reject.status)
    other = [row for row in rows if not row.right and not is_declared_refusal(row, limit.reject)]
    if other:
        shared = set(rows.row[overload.environmental(rows)].tolist())
        own = [row for row in other if row.row not in shared]
        if not own:
            return inconclusive(
                "a beacon without errors wherever the service has one",
                f"{len(other)} rows broke within a second of a beacon's error",
                "mend the cluster's network, then run again", n=len(rows), rows=other,
            )  # fmt: skip
        other, first = own, own[0]
        return failed(
            f"every row a right answer or a refusal with {limit.reject.status} as declared",
            f"{len(other)} of {len(rows)} neither, the first {first.error or f'answered {first.status}'} "
            f"after {first.ended_s - first.sent_s:.2f} s",
            "refuse at once, with the declared status and body, what does not fit",
            n=len(rows),
            rows=other,
        )
    right = rows.select(rows.right)
    late = int((right.latency_s > overload.deadline_s).sum())
    slow = int((rejects.latency_s > limit.reject_within_s).sum())
    measured = [
        Measurement("answers later than the deadline", late / max(len(right), 1), n=len(right), limit="<= 0.05"),
        Measurement(
            f"refusals slower than {limit.reject_within_s:g} s",
            slow / max(len(rejects), 1),
            n=len(rejects),
            limit="<= 0.05",
        ),
    ]
    late_judged = judge_proportion(late, len(right), LATE_SHARE) if len(right) else "between"
    slow_judged = judge_proportion(slow, len(rejects), LATE_SHARE) if len(rejects) else "between"
    slowed = overload.beacon_trouble(*overload.overload_s)
    if "fail" in (late_judged, slow_judged) and slowed:
        return inconclusive(
            "a beacon as fast as before the overload", slowed,
            "give the cluster more cores: the machine is saturated, not the service", n=len(rows),
            measurements=measured,
        )  # fmt: skip
    if "fail" in (late_judged, slow_judged):
        what = f"{late} of {len(right)} answers after {overload.deadline_s:g} s"
        if slow_judged == "fail":
            what = f"{slow} of {len(rejects)} refusals took longer than {limit.reject_within_s:g} s"
        return failed(
            "answers within the deadline and refusals at once", what,
            "bound the queue, and refuse before waiting in it", n=len(rows), measurements=measured,
            rows=_slowest(right if late_judged == "fail" else rejects),
        )  # fmt: skip
    if len(rejects) < WANTED_REJECTS or "between" in (late_judged, slow_judged):
        return inconclusive(
            f"{WANTED_REJECTS} refusals, and shares clearly below 5%",
            f"{len(rejects)} refusals, {slow} slow; {late} of {len(right)} answers late",
            "run again on a quieter machine",
            n=len(rows),
            measurements=measured,
        )
    detects = proportion_limits(len(rejects), LATE_SHARE).smallest_failing_share
    return passed(
        "every row a right answer in time or a quick refusal as declared",
        f"{len(right)} answers and {len(rejects)} refusals at {overload.offered_ratio:.2f} times the capacity",
        n=len(rows),
        measurements=measured,
        detects=f"{detects:.0%} of refusals slow" if detects else "",
    )


def _slowest(rows: Ledger) -> list[Request]:
    return sorted(rows, key=lambda row: -row.latency_s)[:5]
