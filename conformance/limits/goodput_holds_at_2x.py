"""Offered twice what it carries, the service still does most of the work it can.

Source: Welch's contrast of per-second goodput, overload against a closed loop at twice the concurrency.
"""

from seatrial.errors import InputError
from seatrial.ledger import Ledger
from seatrial.stats.rates import Batches, batched_rate, judge_ratio
from seatrial.suite import check
from seatrial.trials.overload import CLOSED, HARDLY_ANY_OVERLOAD, OVERLOADED, Overload, good_ends_s
from seatrial.verdict import Ground, Measurement, Verdict

LEAST_RATIO = 0.8
WANTED_CLOSED, WANTED_OVER = 18, 39
OVER_WARM_UP_S = 5.0


@check("L6", level="MUST", timed=True, ablation=HARDLY_ANY_OVERLOAD)
def goodput_holds_at_2x(overload: Overload) -> Verdict:
    ground = Ground(n=len(overload.over))
    # Where nine in ten are still answered in time, the closed loop did not find the capacity. No goodput that would
    # fail is as high as that.
    if not overload.was_overload:
        return ground.inconclusive(
            OVERLOADED,
            overload.overload_facts(),
            "declare limits.concurrency as it is, so that the capacity is found",
        )
    if slowed := overload.beacon_trouble(*overload.overload_s):
        return ground.inconclusive(
            "a beacon as fast as before the overload",
            slowed,
            "give the cluster more cores: the machine is saturated, not the service",
        )
    try:
        closed = goodput(overload, overload.ledger.of(CLOSED), overload.closed_s, 0.0)
        loaded = goodput(overload, overload.over, overload.overload_s, OVER_WARM_UP_S)
    except InputError as few:
        return ground.inconclusive("goodput by the second of both phases", str(few), "run again")
    before, after = float(closed.rates_rps.mean()), float(loaded.rates_rps.mean())
    limit = f">= {0.8 * before:.1f} /s"
    ground = ground.with_(
        measurements=[
            Measurement("goodput, closed loop", before, "/s", n=len(closed.rates_rps)),
            Measurement("goodput at twice the capacity", after, "/s", n=len(loaded.rates_rps), limit=limit),
        ]
    )
    expected = f"{LEAST_RATIO:g} of the goodput, or more, when twice the capacity is offered"
    found = f"{after:.1f}/s of {before:.1f}/s, a ratio of {after / before if before else float('nan'):.2f}"
    decision = judge_ratio(closed.rates_rps, loaded.rates_rps, LEAST_RATIO)
    if decision == "fail":
        return ground.failed(
            expected, found, "bound the queue, drop work whose client has gone, refuse before computing"
        )
    if seconds_of(closed) < WANTED_CLOSED or seconds_of(loaded) < WANTED_OVER:
        return ground.inconclusive(
            f"{WANTED_CLOSED} s of the closed loop and {WANTED_OVER} s of overload",
            f"{len(closed.rates_rps)} and {len(loaded.rates_rps)} batches",
            "run again",
        )
    if decision == "between":
        return ground.inconclusive(
            f"a goodput clearly on one side of {LEAST_RATIO:g} of the closed loop's", found, "run again"
        )
    return ground.passed(
        expected, found, detects="a ratio of 0.6 where goodput varies by a tenth from second to second"
    )


def goodput(overload: Overload, rows: Ledger, window_s: tuple[float, float], warm_up_s: float) -> Batches:
    """Right answers in time, by the second. Raises InputError where the window is too short to tell."""
    return batched_rate(good_ends_s(rows, overload.deadline_s), *window_s, warm_up_s)


def seconds_of(rate: Batches) -> float:
    """The time that a goodput was counted over."""
    return len(rate.rates_rps) * rate.width_s
