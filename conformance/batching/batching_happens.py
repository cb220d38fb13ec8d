"""Requests that come together are worked on together.

Source: contract `batching`. The sizes that the service reports are not believed alone: the runs of the model, or
the time that groups take against their members one by one, must agree.
"""

from seatrial.contract import Batching, Metrics
from seatrial.suite import check
from seatrial.trials.changed_setting import NOT_REPLACED, ROLL_OUT
from seatrial.trials.concurrency import (
    LEAST_FOR_S,
    LONE,
    LOOP,
    MOST_OF_TIME,
    ONE_CLIENT,
    REPETITIONS,
    ConcurrentLoad,
    Share,
)
from seatrial.verdict import Ground, Measurement, Outcome, Verdict, skipped

LEAST_MEAN, MOST_CALLS = 1.5, 0.75  # items per batch; model runs per item
LEAST_ANSWERS = 100
OPEN_SHARE = 0.75  # of as many clients as a limit lets in, on average
DO = "let a batch wait for company up to the declared delay, and run it as one"


@check("B2", level="MUST", ablation=ONE_CLIENT)
def batching_happens(batching: Batching, metrics: Metrics | None, concurrent: ConcurrentLoad) -> Verdict:
    size = int(float(batching.max_size))
    if size < 2:
        return skipped(f"batching.max_size is {size}")
    rows = concurrent.ledger.of(LOOP).to(concurrent.pod)
    answered = rows.select((rows.error == rows.code("")) & (rows.status >= 200) & (rows.status < 300))
    offered_s = float(answered.ended_s.max() - rows.sent_s.min()) if len(answered) else 0.0
    ground = Ground(n=len(answered))
    judged = (
        by_metrics(metrics, concurrent, ground, len(answered))
        if metrics and metrics.batch_size and metrics.model_runs
        else by_time(concurrent)
    )
    # Who has no company works alone rightly, and so may those that a limit lets in before a batch is full. Where as
    # many as fill a batch were open, a failure is one whatever the count.
    fills_batches = concurrent.open_at_once() >= size
    size = concurrent.most(size)
    in_company = size > 1 and concurrent.open_at_once() >= size * (1 if concurrent.slots is None else OPEN_SHARE)
    enough = in_company and offered_s >= LEAST_FOR_S - 1 and len(answered) >= LEAST_ANSWERS
    if not (fills_batches if judged.outcome is Outcome.FAIL else enough):
        return ground.inconclusive(
            f"{size} or more requests open at a time for {LEAST_FOR_S - 1:g} s, and {LEAST_ANSWERS} answers",
            f"{concurrent.open_at_once():.1f} for {offered_s:.1f} s, {len(answered)} answers",
            "see B1 and the pod's log",
        )
    return judged


def by_metrics(metrics: Metrics, concurrent: ConcurrentLoad, ground: Ground, items: int) -> Verdict:
    """Sizes and runs, both counted by the service."""
    sizes = concurrent.sizes(metrics.batch_size, concurrent.loop)
    calls = concurrent.counted(metrics.model_runs, concurrent.loop)
    if sizes is None or calls is None:
        return Ground(n=0).inconclusive(
            f"{metrics.batch_size} and {metrics.model_runs} in the scrapes around the load, rising",
            "one of them missing, or begun anew",
            "correct the names in the contract; if the pod was restarted, see its log",
        )
    ground = ground.with_(
        measurements=[
            Measurement("mean batch size", sizes.mean, "", n=sizes.runs, limit=f">= {LEAST_MEAN:g}"),
            Measurement("model runs per answer", calls / max(items, 1), "", n=items, limit=f"<= {MOST_CALLS:g}"),
        ]
    )
    expected = f"a mean batch of {LEAST_MEAN:g} or more, and at most {MOST_CALLS:g} model runs per answer"
    found = f"batches of {sizes.mean:.2f} on average, {calls:.0f} model runs for {items} answers"
    # Of few answers the last runs, whose answers nobody waited for, are a large share.
    too_many = items >= LEAST_ANSWERS and calls > MOST_CALLS * items
    if too_many or not sizes.mean >= LEAST_MEAN:
        return ground.failed(expected, f"{found}, under {concurrent.clients} clients", DO)
    lone = concurrent.sizes(metrics.batch_size, concurrent.lone)
    asked = len(concurrent.ledger.of(LONE))
    if lone is None or not lone.runs or lone.runs != lone.items or lone.runs != asked:
        return ground.inconclusive(
            f"{asked} lone requests counted as {asked} batches of 1",
            f"{lone.runs} batches of {lone.items} in all" if lone else "no count",
            "see whether the metric counts what it says",
        )
    detects = f"batches of fewer than {LEAST_MEAN:g} on average under {concurrent.clients} clients"
    return ground.passed(expected, found, detects=detects)


def by_time(concurrent: ConcurrentLoad) -> Verdict:
    """Groups at once against their members one by one, whatever part of it they waited for company."""
    shares = concurrent.shares_of_time()
    ground = Ground(n=len(shares))
    if not shares:
        return ground.inconclusive(*wanted(shares))
    least, most = max(share.least for share in shares), max(share.most for share in shares)
    name, limit = "time at once, of that one by one, largest", f"<= {MOST_OF_TIME}"
    between = {} if least == most else {"low": least, "high": most}
    ground = ground.with_(measurements=[Measurement(name, most, n=len(shares), limit=limit, **between)])
    expected = f"each of {REPETITIONS} groups within {MOST_OF_TIME:.0%} of the time of its members one by one"
    slow = sum(share.least > MOST_OF_TIME for share in shares)
    # A single group may have been held up by the machine; most of them were not.
    if slow > len(shares) / 2:
        return ground.failed(expected, f"{slow} took longer, up to {most:.0%}", DO)
    if slow:
        return ground.inconclusive(
            expected, f"{slow} of {len(shares)} took longer, up to {most:.0%}", "run again on a quieter machine"
        )
    if len(shares) < REPETITIONS:
        return ground.inconclusive(*wanted(shares))
    if most > MOST_OF_TIME:
        return ground.inconclusive(
            f"{expected}, the delay of {concurrent.delay_s * 1000:g} ms left out of theirs",
            f"between {least:.0%} and {most:.0%}: beside work this short, the delay hides which it was"
            + (
                f"; {NOT_REPLACED} {concurrent.unreached}, which was to make it shorter" if concurrent.unreached else ""
            ),
            ROLL_OUT
            if concurrent.unreached
            else "declare metrics.batch_size and metrics.model_runs, or let a Helm value govern batching.max_delay_ms",
        )
    return ground.passed(
        expected,
        f"{len(shares)} of {len(shares)}, at most {most:.0%}",
        detects="groups that are worked on one by one",
    )


def wanted(shares: tuple[Share, ...]) -> tuple[str, str, str]:
    """What has to be timed, what was, and what to do."""
    return (
        f"{REPETITIONS} groups answered right, at once and one by one",
        f"{len(shares)}",
        "see B1; or declare metrics.batch_size and metrics.model_runs",
    )
