"""Offered twice what it carries, the service still does most of the work it can.

Source: Welch's contrast of per-second goodput, overload against a closed loop at twice the concurrency.
"""

from seatrial.errors import InputError
from seatrial.stats.rates import batched_rate, judge_ratio
from seatrial.suite import check
from seatrial.trials.overload import CLOSED, HARDLY_ANY_OVERLOAD, OVERLOADED, Overload, good_ends_s
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed

LEAST_RATIO = 0.8
WANTED_CLOSED, WANTED_OVER = 18, 39
OVER_WARM_UP_S = 5.0


@check("L6", level="MUST", timed=True, ablation=HARDLY_ANY_OVERLOAD)
def goodput_holds_at_2x(overload: Overload) -> Verdict:
    ledger = overload.ledger
    over = overload.over
    start_s, end_s = overload.overload_s
    # Where nine in ten are still answered in time, the closed loop did not find the capacity. No goodput that would
    # fail is as high as that.
    if not overload.was_overload:
        return inconclusive(
            OVERLOADED, overload.overload_facts(),
            "declare limits.concurrency as it is, so that the capacity is found", n=len(over),
        )  # fmt: skip
    if slowed := overload.beacon_trouble(start_s, end_s):
        return inconclusive(
            "a beacon as fast as before the overload", slowed,
            "give the cluster more cores: the machine is saturated, not the service", n=len(over),
        )  # fmt: skip
    try:
        closed = batched_rate(
            good_ends_s(ledger.of(CLOSED), overload.deadline_s), overload.closed_s[0], overload.closed_s[1], 0.0
        )
        loaded = batched_rate(good_ends_s(over, overload.deadline_s), start_s, end_s, OVER_WARM_UP_S)
    except InputError as few:
        return inconclusive("goodput by the second of both phases", str(few), "run again", n=len(over))
    if len(closed.rates_rps) * closed.width_s < WANTED_CLOSED or len(loaded.rates_rps) * loaded.width_s < WANTED_OVER:
        return inconclusive(
            f"{WANTED_CLOSED} s of the closed loop and {WANTED_OVER} s of overload",
            f"{len(closed.rates_rps)} and {len(loaded.rates_rps)} batches", "run again", n=len(over),
        )  # fmt: skip
    before, after = float(closed.rates_rps.mean()), float(loaded.rates_rps.mean())
    measured = [
        Measurement("goodput, closed loop", before, "/s", n=len(closed.rates_rps)),
        Measurement(
            "goodput at twice the capacity", after, "/s", n=len(loaded.rates_rps), limit=f">= {0.8 * before:.1f} /s"
        ),
    ]
    decision = judge_ratio(closed.rates_rps, loaded.rates_rps, LEAST_RATIO)
    found = f"{after:.1f}/s of {before:.1f}/s, a ratio of {after / before if before else float('nan'):.2f}"
    if decision == "fail":
        return failed(
            f"{LEAST_RATIO:g} of the goodput, or more, when twice the capacity is offered", found,
            "bound the queue, drop work whose client has gone, refuse before computing",
            n=len(over), measurements=measured,
        )  # fmt: skip
    if decision == "between":
        return inconclusive(
            f"a goodput clearly on one side of {LEAST_RATIO:g} of the closed loop's", found, "run again", n=len(over),
            measurements=measured,
        )  # fmt: skip
    return passed(
        f"{LEAST_RATIO:g} of the goodput, or more, when twice the capacity is offered", found, n=len(over),
        measurements=measured, detects="a ratio of 0.6 where goodput varies by a tenth from second to second",
    )  # fmt: skip
