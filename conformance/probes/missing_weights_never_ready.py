"""Without its model's whole weights a pod is never ready and answers nothing; with them it soon is.

Source: Kubernetes, "Pod Lifecycle", readiness; contract `weights`. Whether it waits, exits or is started again and
again meanwhile is the service's own choice.
"""

import json

import numpy as np

from seatrial.contract import DeclaredWorkload, ReadinessProbe, Weights
from seatrial.suite import check
from seatrial.trials.weights import (
    ASKED,
    CASE_PERIOD_S,
    KINDS,
    POLL_PERIOD_S,
    POLLED,
    REPAIRED,
    WEIGHTS_INTACT,
    BrokenWeights,
    Side,
)
from seatrial.trials.workload import deciding_readiness
from seatrial.verdict import Ground, Measurement, Verdict
from seatrial.watch.pods import endpoint_states, is_ready

ASKED_SHARE = 0.8  # of the polls and cases that fit in the window
SLACK_S = 1.0  # of the window, for the clock of the watch


@check("P2", level="MUST", ablation=WEIGHTS_INTACT)
def missing_weights_never_ready(
    promised: Weights, readiness: ReadinessProbe | None, workload: DeclaredWorkload, weights: BrokenWeights
) -> Verdict:
    ground = Ground(n=0)
    doubts: list[Verdict] = []
    for side in weights.sides:
        if doubt := unwatched(promised, readiness, workload, weights, side):
            doubts.append(doubt)
        if not lacks_weights(promised, side):
            continue
        rows = weights.ledger.of(ASKED, POLLED).in_group(side.index)
        ground = ground.with_(
            n=len(rows),
            evidence=[
                f"{side.kind}: {len(rows)} probes and cases in {side.watched_until_s - (side.started_s or 0):.0f} s; "
                f"Ready {ready_in(weights, side)} after the repair"
            ],
        )
        if seen := signs_of_life(weights, side):
            return Ground(ground.n, evidence=tuple(seen)).failed(
                f"with weights {side.kind}: never Ready, no ready endpoint, no 2xx readiness, no answer",
                f"{side.kind}: {'; '.join(seen)}",
                "verify the weights before the first request, and let readiness wait for the model",
                rows=rows.select((rows.status == 200) | rows.right),
            )

    if not weights.install_s > 0 or {side.kind for side in weights.sides} != set(KINDS):
        return Ground(n=0).inconclusive(
            "a healthy install that was timed, and both broken ones", f"{len(weights.sides)} broken", "see P1"
        )
    if doubts:
        return doubts[0]
    expected = f"Ready within {weights.repair_within_s:.0f} s once the weights are there"
    limit = f"<= {weights.repair_within_s:.0f} s"
    ground = ground.with_(
        measurements=[
            Measurement(f"Ready after repair of {side.kind} weights", took_s(side), "s", limit=limit)
            for side in weights.sides
            if side.ready_s
        ]
    )
    never = [side for side in weights.sides if side.ready_s is None]
    slow = [side for side in weights.sides if side.ready_s and took_s(side) > weights.repair_within_s]
    if never or len(slow) == len(weights.sides):
        return ground.failed(
            expected,
            "; ".join(ground.evidence),
            "let a new pod, or the waiting one, take the weights up when they are there",
        )
    if slow:
        return ground.inconclusive(expected, "; ".join(ground.evidence), "run again: one of two was late")
    repaired = weights.ledger.of(REPAIRED)
    if not len(repaired) or not repaired.right.all():
        return Ground(ground.n).inconclusive(
            "right answers after the repair, to show that it were the weights that were wanting",
            f"{int(repaired.right.sum())} of {len(repaired)}",
            "see P1",
            rows=repaired.select(~repaired.right),
            blocked_by="P1",
        )
    return ground.passed(
        f"never Ready and no answer in {weights.window_s:.0f} s without whole weights; {expected}",
        f"{ground.n} probes and cases refused or failed; Ready "
        + " and ".join(f"{ready_in(weights, side)} ({side.kind})" for side in weights.sides)
        + " after the repair",
        detects=f"readiness or an answer at any time in {weights.window_s:.0f} s without whole weights",
    )


def unwatched(
    promised: Weights,
    readiness: ReadinessProbe | None,
    workload: DeclaredWorkload,
    weights: BrokenWeights,
    side: Side,
) -> Verdict | None:
    """Why this release tells nothing, if it does not."""
    if side.started_s is None:
        return Ground(n=0).inconclusive(
            "a container that started at least once",
            f"{side.kind}: none",
            "see the events of the stage: the cause is another than the weights",
        )
    if not lacks_weights(promised, side):
        return Ground(n=0).inconclusive(
            f"{promised.names} in the live pod spec",
            f"{side.kind}: not there",
            "correct weights.names, or the values that are to take the weights away",
        )
    watched_s = side.watched_until_s - side.started_s
    polls, cases = (weights.ledger.of(load).in_group(side.index) for load in (POLLED, ASKED))
    polled = readiness and deciding_readiness(side.spec, workload.container)
    wanted_polls = ASKED_SHARE * weights.window_s / POLL_PERIOD_S if polled else 0
    wanted_cases = ASKED_SHARE * weights.window_s / CASE_PERIOD_S
    if watched_s < weights.window_s - SLACK_S or len(polls) < wanted_polls or len(cases) < wanted_cases:
        return Ground(n=len(polls) + len(cases)).inconclusive(
            f"{weights.window_s:.0f} s with {wanted_polls:.0f} probes and {wanted_cases:.0f} cases",
            f"{side.kind}: {watched_s:.0f} s, {len(polls)} and {len(cases)}",
            "give the generator a core of its own",
        )
    return None


def lacks_weights(promised: Weights, side: Side) -> bool:
    """A container of this release ran, and what takes its weights away is in the live pod's spec."""
    return side.started_s is not None and promised.names in json.dumps(side.spec)


def signs_of_life(weights: BrokenWeights, side: Side) -> list[str]:
    """Everything that a pod without whole weights must not show, as sentences."""
    assert side.started_s is not None
    seen: list[str] = []
    changes = [change for change in weights.within(side) if change.at_s <= side.watched_until_s]
    since_s = side.started_s
    ready = [change for change in changes if change.kind == "Pod" and is_ready(change.object)]
    if ready:
        seen.append(f"{ready[0].name} Ready {ready[0].at_s - since_s:.1f} s after its start")
    for pod in sorted({change.name for change in changes if change.kind == "Pod"}):
        if state := next((state for state in endpoint_states(changes, pod) if state.ready), None):
            seen.append(f"a ready endpoint {state.at_s - since_s:.1f} s after the start")
    polls = weights.ledger.of(POLLED).in_group(side.index)
    cases = weights.ledger.of(ASKED).in_group(side.index)
    good = polls.select((polls.status >= 200) & (polls.status < 300))
    if len(good):
        seen.append(
            f"{len(good)} of {len(polls)} readiness probes 2xx, the first {good.sent_s.min() - since_s:.1f} s after"
        )
    answers = cases.select(cases.right | np.isin(cases.status, [200]))
    if len(answers):
        seen.append(f"{len(answers)} of {len(cases)} cases answered 200, {int(answers.right.sum())} of them right")
    return seen


def took_s(side: Side) -> float:
    """From the repair to Ready; infinite if it never was."""
    return float("inf") if side.ready_s is None else side.ready_s - side.repaired_s


def ready_in(weights: BrokenWeights, side: Side) -> str:
    """As a reader wants it."""
    return "never" if side.ready_s is None else f"{took_s(side):.1f} s"
