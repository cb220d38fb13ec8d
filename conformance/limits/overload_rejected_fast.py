"""Under twice its capacity the service answers, or refuses quickly and as declared; nothing else.

Where long cases held the slots of a pod, it worked on as many at once as declared: no more at any time, and no fewer
once it had refused requests, and others had failed or been given up.

Source: contract `limits.concurrency`.
"""

from seatrial.contract import Concurrency, Limits, Reject
from seatrial.ledger import Ledger, Mask, Request
from seatrial.stats import Decision
from seatrial.stats.dependence import judge_share
from seatrial.stats.proportions import proportion_limits
from seatrial.suite import check
from seatrial.trials.held_slots import (
    EXTRA,
    FAILING,
    HOLD,
    LEAVING,
    LEFT_ALONE,
    MORE,
    most_at_once,
    surely_at_once,
    surely_full,
)
from seatrial.trials.overload import HARDLY_ANY_OVERLOAD, OVER, OVERLOADED, Overload
from seatrial.trials.slots import refused_as
from seatrial.verdict import Ground, Measurement, Verdict

WANTED_ROWS, WANTED_REFUSALS = 600, 300
LATE_SHARE = 0.05
ORDINALS = ("first", "second", "third")


@check("L1", level="MUST", timed=True, ablation=HARDLY_ANY_OVERLOAD)
def overload_rejected_fast(limit: Concurrency, limits: Limits | None, overload: Overload) -> Verdict:
    rows = overload.over
    ground = Ground(n=len(rows))
    limits = limits or Limits(concurrency=limit)
    if broken := neither_answered_nor_refused(limits.rejects, overload, ground):
        return broken
    if miscounted := other_slots_than_declared(limit, limits, overload, ground):
        return miscounted

    answers, refusals = rows.select(rows.right), rows.select(rows.status == limit.reject.status)
    are_late, are_slow = answers.latency_s > overload.deadline_s, refusals.latency_s > limit.reject_within_s
    late, slow = int(are_late.sum()), int(are_slow.sum())
    shares = [
        share("answers later than the deadline", late, len(answers)),
        share(f"refusals slower than {limit.reject_within_s:g} s", slow, len(refusals)),
    ]
    counted = at_once(limit, limits, overload)
    ground = ground.with_(measurements=[*shares, *counted] if len(rows) else ())
    late_judged, slow_judged = judged(are_late), judged(are_slow)
    if "fail" in (late_judged, slow_judged):
        if slowed := overload.beacon_trouble(*overload.overload_s):
            return ground.inconclusive(
                "a beacon as fast as before the overload",
                slowed,
                "give the cluster more cores: the machine is saturated, not the service",
            )
        return ground.failed(
            "answers within the deadline and refusals at once",
            f"{slow} of {len(refusals)} refusals took longer than {limit.reject_within_s:g} s"
            if slow_judged == "fail"
            else f"{late} of {len(answers)} answers after {overload.deadline_s:g} s",
            "bound the queue, and refuse before waiting in it",
            rows=slowest(answers if late_judged == "fail" else refusals),
        )
    if len(rows) < WANTED_ROWS or not overload.was_overload:
        return ground.inconclusive(
            f"{WANTED_ROWS} rows of {OVERLOADED}",
            overload.overload_facts(),
            "declare limits.concurrency as it is, so that the capacity is found",
        )
    if len(refusals) < WANTED_REFUSALS or "between" in (late_judged, slow_judged):
        return ground.inconclusive(
            f"{WANTED_REFUSALS} refusals, and shares clearly below 5%",
            f"{len(refusals)} refusals, {slow} slow; {late} of {len(answers)} answers late",
            "run again on a quieter machine",
        )
    seen = proportion_limits(len(refusals), LATE_SHARE).smallest_failing_share
    excluded = [f"{seen:.0%} of refusals slow"] if seen else []
    if counted and all(each.low == each.high == float(limit.limit) for each in counted):
        excluded.append("a slot more or less than declared")
    return ground.passed(
        "every row a right answer in time or a quick refusal as declared",
        f"{len(answers)} answers and {len(refusals)} refusals at {overload.offered_ratio:.2f} times the capacity",
        detects="; ".join(excluded),
    )


def other_slots_than_declared(limit: Concurrency, limits: Limits, overload: Overload, ground: Ground) -> Verdict | None:
    """More slots at one time than declared, or fewer in the end; None where as many as declared were seen."""
    slots, pod, ledger = int(float(limit.limit)), overload.held_pod, overload.ledger
    for held in overload.held:
        surely = surely_at_once(ledger, pod, held)
        if surely > slots:
            return ground.failed(
                f"at most {slots} requests at once on one replica",
                f"{surely} that {pod} worked on at the same time, when {slots + MORE} long ones came together",
                "take a slot in the step that finds it free, and keep to limits.concurrency.limit",
                rows=ledger.to(pod).in_group(held.index).of(HOLD),
            )
    if not overload.held:
        return None
    last = overload.held[-1]
    most = most_at_once(ledger, pod, last, limits.rejects)
    if most >= slots:
        return None
    rows = ledger.to(pod).in_group(last.index).of(HOLD, EXTRA)
    refused = surely_full(ledger, pod, last, limit, limits)
    if last.index < len(LEFT_ALONE) or not len(refused):
        return ground.inconclusive(
            f"{slots} requests at once on one replica, and the rest refused",
            f"at most {most} that {pod} worked on at the same time, {len(refused)} of {len(rows)} refused for that",
            "see what became of the loads hold and extra; declare the long case as it is",
            rows=rows.select(~rows.right),
        )
    return ground.failed(
        f"{slots} requests at once on one replica before any is refused",
        f"at most {most} that {pod} worked on at the same time, and {len(refused)} refused, "
        f"once {ended_otherwise(overload)}",
        "give a slot back however its request ends, and let in as many after refusals as before; "
        "or correct limits.concurrency.limit",
        rows=refused,
    )


def at_once(limit: Concurrency, limits: Limits, overload: Overload) -> list[Measurement]:
    """How many requests the pod worked on at the same time, each time that its slots were filled."""
    pod, ledger = overload.held_pod, overload.ledger
    return [
        Measurement(
            f"at once, slots filled for the {ORDINALS[held.index]} time",
            most_at_once(ledger, pod, held, limits.rejects),
            low=surely_at_once(ledger, pod, held),
            high=most_at_once(ledger, pod, held, limits.rejects),
            limit=f"= {float(limit.limit):g}",
        )
        for held in overload.held
    ]


def ended_otherwise(overload: Overload) -> str:
    """What came before the slots were counted for the last time, as a sentence has it."""
    ledger = overload.ledger
    failed, left = (len(ledger.of(load)) for load in (FAILING, LEAVING))
    return f"others had been refused, {failed} had failed and {left} had been given up"


def neither_answered_nor_refused(rejects: tuple[Reject, ...], overload: Overload, ground: Ground) -> Verdict | None:
    """Rows that are neither a right answer nor a refusal as declared, by any limit; None without any."""
    rows = overload.ledger.of(OVER, EXTRA)
    other = rows.select(~rows.right & ~refused_as(rows, rejects))
    if not len(other):
        return None
    shared = set(rows.row[overload.environmental(rows)].tolist())
    own = [row for row in other if row.row not in shared]
    if not own:
        return ground.inconclusive(
            "a beacon without errors wherever the service has one",
            f"{len(other)} rows broke within a second of a beacon's error",
            "mend the cluster's network, then run again",
            rows=other,
        )
    first = own[0]
    statuses = " or ".join(dict.fromkeys(str(reject.status) for reject in rejects))
    return ground.failed(
        f"every row a right answer or a refusal with {statuses} as declared",
        f"{len(own)} of {len(rows)} neither, the first {first.became} after {first.ended_s - first.sent_s:.2f} s",
        "refuse at once, with the declared status and body, what does not fit",
        rows=own,
    )


def share(name: str, late: int, of: int) -> Measurement:
    """How many of them were late."""
    return Measurement(name, late / max(of, 1), n=of, limit="<= 0.05")


def judged(late: Mask) -> Decision:
    """Whether more than LATE_SHARE of them are late; undecided without any. Those in one queue may be late together."""
    return judge_share(late, LATE_SHARE) if len(late) else "between"


def slowest(rows: Ledger) -> list[Request]:
    """The five that took longest."""
    return sorted(rows, key=lambda row: -row.latency_s)[:5]
