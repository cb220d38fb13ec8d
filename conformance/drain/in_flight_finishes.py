"""A pod that is told to stop finishes the requests it has accepted.

Source: Kubernetes, "Pod Lifecycle", termination of pods; contract `drain`.
Judged on connections to the victim's own address; a request counts if it was sent 20 ms or more before the
container was told, for a later one may rightly meet a closed listener. A refusal counts if the server had surely read
the request by then: where refusals take 60 ms at that moment, it was sent 120 ms or more before (`drain_unread`).
The container may have been told before its log says so. What broke between SIGTERM's due time and the log's counts if
it was there before: sent before SIGTERM was due, or open for 20 ms when its connection was cut. Where the log's line is
late, on a machine without time, what was sent after SIGTERM was due cannot fail the service: it may have come after.
"""

from collections.abc import Sequence

import numpy as np

from seatrial.contract import Drain, Limits
from seatrial.ledger import Ledger, Mask, Request
from seatrial.stats.proportions import zero_event_bound
from seatrial.suite import check
from seatrial.trials.drain_mix import FURTHER, LARGE, LARGE_HALF_SENT, NEAR_BUDGET
from seatrial.trials.drain_unread import SETTLED_S, TURNS, connected, perhaps_unread, unread_s
from seatrial.trials.pod_deletion import NOTHING_IN_FLIGHT, PodDeletion, Round
from seatrial.verdict import Ground, Measurement, Verdict

PROMPT_SIGN_S = 0.3  # seen where the machine had time: 0.03 to 0.07 s on local, 0.04 to 0.26 s on kind
RECENT_S = 0.1
WANTED_OPEN, WANTED_RECENT, WANTED_HALF_SENT, WANTED_LARGE = 20, 5, 3, 2
LARGE_ONES = (LARGE, LARGE_HALF_SENT)


@check("D1", level="MUST", ablation=NOTHING_IN_FLIGHT)
def drain_in_flight_finishes(drain: Drain, limits: Limits | None, deletion: PodDeletion) -> Verdict:
    rounds = deletion.loaded()
    accepted = [(round, in_flight(deletion, round, limits)) for round in rounds]
    # Selected from the trial's ledger, so that the rows keep their numbers.
    numbers = [row for _, rows in accepted for row in rows.row]
    open_then = deletion.ledger.select(np.isin(deletion.ledger.row, numbers))
    ground = Ground(n=len(open_then))
    recent = sum(int((round.told_s - rows.sent_s <= RECENT_S).sum()) for round, rows in accepted)
    half_sent = sum(int((~(rows.of("half-sent").body_sent_s <= round.told_s)).sum()) for round, rows in accepted)
    wrong = open_then.select(~open_then.right)
    spent = [row for round in rounds for row in deletion.over_budget(round).row.tolist()]
    in_doubt = [row for round, rows in accepted for row in rows.row[_told_before_or_after(round, rows)]]
    lost = wrong.select(~np.isin(wrong.row, [*spent, *in_doubt]))
    if len(lost):
        first = next(iter(lost))
        return ground.failed(
            f"{len(open_then)} right and whole answers",
            f"{len(lost)} lost or wrong, the first ({_which(first, rounds)}) "
            f"{first.became} after {first.ended_s - first.sent_s:.2f} s",
            "on SIGTERM keep what was accepted, finish it within the drain budget, then exit",
            rows=lost,
        )
    if len(doubtful := wrong.select(~np.isin(wrong.row, spent))):
        late_s = max(round.told_s - round.sigterm_due_s for round in rounds)
        return ground.inconclusive(
            f"a sign within {PROMPT_SIGN_S:g} s of SIGTERM, before which the lost requests were sent",
            f"a sign {late_s:.2f} s after SIGTERM was due, and {len(doubtful)} lost or wrong that were sent in between",
            "give the cluster more cores: the container may have been told before them",
            rows=doubtful,
        )
    further = [
        row for round in rounds if deletion.only_further_over_budget(round) for row in deletion.over_budget(round).row
    ]
    if len(wrong := wrong.select(~np.isin(wrong.row, further))):
        return ground.inconclusive(
            "work in flight that fits into the drain budget",
            f"{len(wrong)} cut when the whole budget was spent",
            "give the cluster more cores: the same requests fit undisturbed",
            rows=wrong,
        )
    open_then = open_then.select(open_then.right)
    ground = Ground(n=len(open_then))
    large_sent, large = deletion.ledger.of(*LARGE_ONES), open_then.of(*LARGE_ONES)
    if len(large_sent) and len(large) < WANTED_LARGE:
        return ground.inconclusive(
            f"{WANTED_LARGE} large requests open when the pod was told to stop",
            f"{len(large)} of {len(large_sent)} that were sent",
            "run again, or raise the limit that refuses them",
        )
    unread_after_s = max((unread_s(connected(deletion, round, limits), round) for round in rounds), default=0.0)
    if recent < WANTED_RECENT and unread_after_s > RECENT_S:
        return ground.inconclusive(
            f"a server that has surely read what was sent {RECENT_S:g} s before it was told to stop",
            f"{unread_after_s / TURNS:.2f} s until it refused what came after",
            "give the cluster more cores: the server may have been told before it read the last requests",
        )
    if len(open_then) < WANTED_OPEN or recent < WANTED_RECENT or half_sent < WANTED_HALF_SENT:
        return ground.inconclusive(
            f"{WANTED_OPEN} requests open when the pod was told to stop, {WANTED_RECENT} of them sent in the last "
            f"{RECENT_S:g} s and {WANTED_HALF_SENT} with half a body",
            f"{len(open_then)} open, {recent} recent, {half_sent} half sent over {len(rounds)} rounds",
            "raise the work per request, or declare a long case",
        )

    further_apis = open_then.of(FURTHER)
    n, longest_s = len(open_then), float((open_then.ended_s - open_then.sent_s).max())
    bound = zero_event_bound(n)
    measured = [
        Measurement("requests lost", 0, n=n, low=0.0, high=bound, confidence=0.95, limit="= 0"),
        Measurement("longest request", longest_s, "s", n=n),
        *([Measurement("large requests in flight", len(large))] if len(large) else []),
        *([Measurement("cases of further APIs in flight", len(further_apis))] if len(further_apis) else []),
    ]
    return ground.with_(measurements=measured).passed(
        f"{WANTED_OPEN} or more requests open at SIGTERM, all answered right and whole",
        f"{n} of {n}, the longest took {longest_s:.2f} s",
        detects=f"a loss of {bound:.1%} of the requests in flight, at 95% confidence"
        + (f"; of the large ones, {zero_event_bound(len(large)):.0%}" if len(large) else "")
        + (f"; of those of further APIs, {zero_event_bound(len(further_apis)):.0%}" if len(further_apis) else ""),
    )


def _which(row: Request, rounds: Sequence[Round]) -> str:
    """The load of a row, with the API where that is not the default one."""
    if row.load == FURTHER:
        return f"{row.load}, {row.case}"
    asks = next(round.asks for round in rounds if round.index == row.group)
    return f"{row.load} of {asks}" if asks and row.load in ("long", NEAR_BUDGET) else row.load


def in_flight(deletion: PodDeletion, round: Round, limits: Limits | None) -> Ledger:
    """The requests that the victim of a round had accepted when it was told to stop, and had surely read if refused."""
    sent = connected(deletion, round, limits)
    due_s = min(round.sigterm_due_s, round.told_s)
    broken = sent.error != sent.code("")
    cut_early = (sent.ended_s > due_s) & ~sent.right
    cut_early &= (sent.sent_s <= due_s - SETTLED_S) | (broken & (sent.ended_s - sent.sent_s >= SETTLED_S))
    there = (sent.sent_s <= round.told_s - SETTLED_S) & (~(sent.ended_s <= round.told_s) | cut_early)
    return sent.select(there & ~perhaps_unread(sent, round))


def _told_before_or_after(round: Round, rows: Ledger) -> Mask:
    """Which rows were sent when the container may already have been told, and its sign was late: shape (n,).

    After a preStop hook of unknown length nobody knows when SIGTERM was due, and no sign is late.
    """
    late = round.prestop_known and round.told_s - round.sigterm_due_s > PROMPT_SIGN_S
    sent_since: Mask = rows.sent_s > round.sigterm_due_s - SETTLED_S
    return sent_since & late
