"""After an overload the service is as it was before it.

Source: the rows after the settling time are held against the upper bound of the baseline's p95.
"""

from collections.abc import Sequence

import numpy as np

from seatrial.contract import Concurrency
from seatrial.ledger import Ledger
from seatrial.observation import Change
from seatrial.stats.proportions import judge_proportion, proportion_limits
from seatrial.stats.quantiles import upper_bound
from seatrial.suite import check
from seatrial.trials.overload import BASELINE, HARDLY_ANY_OVERLOAD, OVERLOADED, RECOVERY, Overload
from seatrial.trials.workload import is_declared_refusal
from seatrial.verdict import Ground, Measurement, Verdict
from seatrial.watch.ownership import own_changes
from seatrial.watch.pods import is_ready, latest

WANTED_ROWS, WANTED_BASELINE = 250, 200
SLOW_SHARE = 0.15


@check("L8", level="MUST", timed=True, ablation=HARDLY_ANY_OVERLOAD)
def recovers_after_overload(limit: Concurrency | None, overload: Overload) -> Verdict:
    ledger = overload.ledger
    baseline, after = ledger.of(BASELINE), ledger.of(RECOVERY).between(*overload.recovery_s)
    baseline, after = _without_full(limit, overload, baseline), _without_full(limit, overload, after)
    ground = Ground(n=len(after))
    # Where everything was right before, what is not so afterwards has come of what lay between.
    calm = len(baseline) > 0 and bool(baseline.right.all())
    if calm and (broken := _broken(overload, after, ground)):
        return broken
    if not overload.was_overload:
        return Ground(n=len(overload.over)).inconclusive(
            OVERLOADED,
            overload.overload_facts(),
            "declare limits.concurrency as it is, so that the capacity is found",
        )
    if len(baseline) < WANTED_BASELINE or not calm or len(after) < WANTED_ROWS:
        return ground.inconclusive(
            f"{WANTED_BASELINE} right answers before the overload and {WANTED_ROWS} rows after it",
            f"{int(baseline.right.sum())} of {len(baseline)} right before, {len(after)} rows after",
            "see why requests are refused at 0.3 of the capacity, evenly spaced",
        )
    # Latency counts from the schedule, which the generator may miss by as much as its own bound allows.
    bound_s = upper_bound(baseline.latency_s, 0.95) + overload.generator.lag_p99_bound_s
    slow = int((after.latency_s > bound_s).sum())
    measured = ground.with_(
        measurements=[
            Measurement(
                "p95 before, upper bound, and the generator's lag", bound_s, "s", n=len(baseline), confidence=0.95
            ),
            Measurement("slower than that after", slow / len(after), n=len(after), limit=f"<= {SLOW_SHARE:g}"),
        ]
    )
    decision = judge_proportion(slow, len(after), SLOW_SHARE)
    slowed = overload.beacon_trouble(*overload.recovery_s)
    if decision == "fail" and slowed:
        return measured.inconclusive(
            "a beacon as fast as before the overload",
            slowed,
            "give the cluster more cores: the machine is slow, not the service",
        )
    if decision == "fail":
        return measured.failed(
            f"at most {SLOW_SHARE:.0%} slower than {bound_s:.3f} s",
            f"{slow} of {len(after)}",
            "drop the backlog that nobody waits for, give back memory and permits",
            rows=sorted(after, key=lambda row: -row.latency_s)[:5],
        )
    if decision == "between":
        return measured.inconclusive(
            f"clearly at most {SLOW_SHARE:.0%} slower than {bound_s:.3f} s",
            f"{slow} of {len(after)}",
            "run again",
        )
    share = proportion_limits(len(after), SLOW_SHARE).smallest_failing_share
    return measured.passed(
        "no error, no refusal, and latencies as before the overload",
        f"{len(after)} right answers, {slow} slower than the p95 before ({bound_s:.3f} s)",
        detects=f"{share:.0%} of answers slower" if share else "",
    )


def _broken(overload: Overload, after: Ledger, ground: Ground) -> Verdict | None:
    """Answers that are not right after the overload, or pods that are not Ready; None without any."""
    wrong = after.select(~after.right)
    lost = wrong.select(~overload.environmental(wrong))
    if len(lost):
        first = next(iter(lost))
        return ground.failed(
            "no error and no refusal once the overload is over",
            f"{len(lost)} of {len(after)}, the first {first.became} "
            f"{first.sent_s - overload.overload_s[1]:.1f} s after its end",
            "free slots, breakers and queues as soon as there is room again",
            rows=lost,
        )
    if len(wrong):
        return ground.inconclusive(
            "a beacon without errors wherever the service has one",
            f"{len(wrong)} rows broke within a second of a beacon's error",
            "mend the cluster's network, then run again",
            rows=wrong,
        )
    # Until the light load ends: what comes after it fills the slots of one pod, which then may well be unready.
    if unready := _unready([c for c in own_changes(overload) if c.at_s <= overload.recovery_s[1]]):
        return ground.failed("all pods ready again", f"{', '.join(unready)} not", "let readiness recover")
    return None


def _without_full(limit: Concurrency | None, overload: Overload, rows: Ledger) -> Ledger:
    """The rows but for the declared refusals of a replica that had as much to do as it takes at once."""
    if limit is None:
        return rows
    refused = rows.select(np.isin(rows.row, [row.row for row in rows if is_declared_refusal(row, limit.reject)]))
    full = refused.row[overload.refused_when_full(refused, float(limit.limit))]
    return rows.select(~np.isin(rows.row, full))


def _unready(changes: Sequence[Change]) -> list[str]:
    return [name for name, pod in latest(changes, "Pod").items() if not is_ready(pod)]
