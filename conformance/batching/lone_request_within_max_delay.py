"""A request that comes alone waits no longer than declared, nor does one of a trickle.

Source: contract `batching.max_delay_ms`. What a request takes that waits for nobody is measured in full batches.
Lone requests are judged by their median, and so are those of a trickle that opened a batch, in at most two looks: by
class, for what one waits may depend on when a batch was closed before it, or on how long nothing came. Single late ones
count if both looks have some, but not those of a trickle whose batch waited for another to be worked on.
"""

from seatrial.contract import Batching
from seatrial.ledger import Ledger
from seatrial.stats.proportions import proportion_limits
from seatrial.suite import check
from seatrial.trials.batch_delay import (
    ALONE_RATIO,
    ANY_GAP,
    FULL,
    LONE,
    LONE_ROWS,
    TRICKLE,
    Patience,
    TimeWaited,
    alone,
    time_waited,
)
from seatrial.trials.batching import FIFTH_OF_THE_LONE, Batches
from seatrial.trials.quiet_time import LEAST_ROWS, QUIET, QUIET_S
from seatrial.verdict import Ground, Measurement, Verdict

WANTED_FULL, WANTED_TRICKLE = 24, 20
DO = "start the timer at the first request of a batch, in the declared unit, and run what is there when it ends"
MOST_DELAY_S = 0.5  # above it, a clock of one second could not be told from the delay


@check("B4", level="MUST", timed=True, ablation=FIFTH_OF_THE_LONE)
def lone_request_within_max_delay(batching: Batching, batches: Batches) -> Verdict:
    ledger = batches.ledger
    full, lone, trickle = (ledger.of(load).to(batches.pod) for load in (FULL, LONE, TRICKLE))
    told = ledger.of(FULL, LONE, TRICKLE, QUIET).to(batches.pod, batches.quiet_pod or batches.pod)
    seen = time_waited(told, batches.delay_s, batches.looks, batches.gaps)
    patience = Patience.of(full, batches.delay_s)
    if len(seen.failing_looks) > 1:
        return too_late(seen, patience, len(lone) + len(trickle))
    if doubt := unmeasured(batches, seen, full, lone, trickle):
        return doubt
    slowest_s, trickled_s = float(lone.latency_s.max()), float(trickle.latency_s.max())
    worst = seen.worst
    assert worst is not None
    which = "" if worst.called == ANY_GAP else f" ({worst.called})"
    ground = Ground(n=sum(len(part.rows) for part in seen.lone)).with_(
        measurements=[
            *(
                Measurement(
                    f"{part.called}, median", part.median_s, "s", n=len(part.rows), limit=f"<= {part.bound_s:.3f} s"
                )
                for part in seen.parts
            ),
            Measurement("request in a full batch, median", seen.engine_s, "s", n=len(full)),
            Measurement("lone request, slowest", slowest_s, "s", limit=f"<= {patience.lone_s:.2f} s"),
            Measurement("trickle, slowest", trickled_s, "s", n=len(trickle), limit=f"<= {patience.trickle_s:.2f} s"),
        ]
    )
    expected = (
        f"a lone request answered within {worst.bound_s * 1000:.0f} ms (median): {worst.work_s * 1000:.0f} ms of work, "
        f"{batches.delay_s * 1000:g} ms of delay and {(worst.bound_s - worst.work_s - batches.delay_s) * 1000:.0f} ms"
    )
    if seen.median == "fail":
        return ground.failed(
            expected,
            f"{worst.above} of {len(worst.rows)} later{which}, median {worst.median_s * 1000:.0f} ms",
            DO,
            rows=seen.late if len(seen.late) else worst.rows.select(worst.rows.latency_s > worst.bound_s),
        )
    if seen.median == "between" or seen.late_looks:
        late = f", {some_late(seen)}" if seen.late_looks else ""
        return ground.inconclusive(
            expected,
            f"{worst.above} of {len(worst.rows)} later{which} after {batches.looks} looks{late}",
            "run again on a quieter machine",
            rows=seen.late,
        )
    above = sum(part.above for part in seen.lone)
    return ground.passed(
        expected,
        f"{above} of {ground.n} later; slowest {slowest_s * 1000:.0f} ms alone, "
        f"{trickled_s * 1000:.0f} ms in a trickle",
        detects=f"a request later than {patience.lone_s:.2f} s alone or {patience.trickle_s:.2f} s in a trickle"
        + above_it(batches, seen),
    )


def above_it(batches: Batches, seen: TimeWaited) -> str:
    """Which shares of requests above the bound would have failed, in words; "" where no share would.

    What is left undecided by the first look gets a second, with so many more.
    """
    fewest = min(len(part.rows) for part in seen.parts if part is not seen.quiet)
    again = bool(batches.gaps) and batches.looks == 1
    usual = fewest * sum(LONE_ROWS) // LONE_ROWS[0] if again else fewest
    quiet = len(seen.quiet.rows) + (LEAST_ROWS[1] if again else 0) if seen.quiet else 0
    shown = ""
    for rows, which in (
        (usual, "them above it"),
        (quiet, f"those sent after {QUIET_S:g} s in which nothing was asked"),
    ):
        if rows and (share := proportion_limits(rows, 0.5).smallest_failing_share):
            shown += f", or {share:.0%} of {which}"
    return shown


def too_late(seen: TimeWaited, patience: Patience, n: int) -> Verdict:
    """Requests of both looks were later than any may be, whatever the median says."""
    first = next(iter(seen.unexcused))
    return Ground(n=n).failed(
        f"no request later than {patience.lone_s:.2f} s alone, {patience.trickle_s:.2f} s in a trickle",
        f"{len(seen.unexcused)} too late, in both looks; the first ({first.load}) "
        f"{first.error or f'after {first.latency_s:.2f} s'}",
        DO,
        rows=seen.unexcused,
    )


def some_late(seen: TimeWaited) -> str:
    """Late ones that fail nothing, as a sentence."""
    if len(seen.late_looks) == 1:
        return f"some too late in look {seen.late_looks[0] + 1} only"
    behind = len(seen.late) - len(seen.unexcused)
    return f"{len(seen.late)} too late in both looks, {behind} of them in batches of a trickle that waited for another"


def unmeasured(batches: Batches, seen: TimeWaited, full: Ledger, lone: Ledger, trickle: Ledger) -> Verdict | None:
    """Why these rows tell nothing, if they do not."""
    wanted = sum(LONE_ROWS[: batches.looks])
    if batches.delay_s > MOST_DELAY_S:
        return Ground(n=0).inconclusive(
            f"a delay of at most {MOST_DELAY_S:g} s",
            f"{batches.delay_s:g} s",
            "set a shorter batching.max_delay_ms for the trial",
        )
    ground = Ground(n=len(lone))
    right = int(full.right.sum())
    if right < WANTED_FULL or not wanted or len(lone) < wanted or len(trickle) < WANTED_TRICKLE:
        return ground.inconclusive(
            f"{WANTED_FULL} right answers out of full batches, {wanted or LONE_ROWS[0]} lone requests, "
            f"{WANTED_TRICKLE} in a trickle",
            f"{right}, {len(lone)}, {len(trickle)}",
            "see why the full batches failed (B1), or run again",
        )
    quiet = len(seen.quiet.rows) if seen.quiet else 0
    if batches.quiet_pod and quiet < LEAST_ROWS[0]:
        return ground.inconclusive(
            f"{LEAST_ROWS[0]} requests sent after {QUIET_S:g} s in which nothing was asked", f"{quiet}", "run again"
        )
    kept = alone(lone)
    if kept.sum() < ALONE_RATIO * wanted:
        return ground.inconclusive(
            f"{ALONE_RATIO * wanted:.0f} lone requests {batches.spacing_s * 1000:.0f} ms apart, with nothing else open",
            f"{kept.sum()} of {len(lone)}",
            "give the generator a core of its own",
        )
    return None
