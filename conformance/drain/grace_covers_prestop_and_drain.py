"""The grace period covers the preStop hook and the whole drain budget, and the budget is what its value says.

The budget counts from SIGTERM, whatever the age of a request: an early one has been there for as long as half of the
budget then, and is judged if the same request, sent at the same time to a pod that stays, is answered.
Where a Helm value governs the budget, half of it is tried as well: a pod that finishes what takes longer then has not
heard of the value, and what the promised budget was seen to be is only what the server does anyway.
Source: Kubernetes, "Pod Lifecycle": the grace period counts from the deletion, preStop included; contract
`drain.budget_s` and `drain.grace_s`.
"""

from dataclasses import dataclass

import numpy as np

from seatrial.contract import Drain, Governed, Limits
from seatrial.ledger import Ledger, Request
from seatrial.suite import check
from seatrial.trials.changed_setting import NOT_REPLACED, ROLL_OUT
from seatrial.trials.drain_mix import EARLY, EARLY_AT_OTHER, NEAR_BUDGET
from seatrial.trials.drain_unread import connected, perhaps_unread
from seatrial.trials.pod_deletion import NOTHING_NEAR_THE_BUDGET, PodDeletion, Round
from seatrial.trials.shorter_drain import BEYOND, ShorterDrain
from seatrial.trials.slots import refused_as, surely_refused
from seatrial.trials.undisturbed import UNDISTURBED, undisturbed_as
from seatrial.verdict import Ground, Measurement, Verdict

MARGIN_S = 1.0
LEAST, MOST = 0.7, 0.95  # of the budget: the remaining work that puts it to the test


@dataclass(frozen=True, slots=True)
class NearTheBudget:
    """A request with most of the drain budget of work left when its pod was told to stop."""

    row: Request
    fact: str  # what became of it, as a sentence
    age_s: float  # at SIGTERM
    remaining_s: float  # of its work, then
    over_budget: bool  # it was open until its whole budget was spent
    is_further: bool  # it came closer to the budget, or was older, than the first ones: others tell where it is spent

    @property
    def is_lost(self) -> bool:
        """It was not answered, though it had time."""
        return not self.row.right and not self.over_budget

    @property
    def is_spent(self) -> bool:
        """It was not answered, and its time was over."""
        return not self.row.right and self.over_budget


@check("D7", level="MUST", ablation=NOTHING_NEAR_THE_BUDGET)
def grace_covers_prestop_and_drain(drain: Drain, limits: Limits | None, deletion: PodDeletion) -> Verdict:
    if not deletion.loaded():
        return Ground(n=0).inconclusive("a deletion under load", "none", "run again")
    tested = near_the_budget(deletion, limits)
    prestop_s = max(0.0, *(taken_by_prestop_s(round) for round in deletion.loaded()))
    grace_s = min(round.grace_period_s for round in deletion.loaded())
    needed_s = prestop_s + deletion.budget_s + MARGIN_S
    sum_ = f"preStop {prestop_s:g} s + drain {deletion.budget_s:g} s + {MARGIN_S:g} s"
    limit = f">= {needed_s:g} s ({sum_})"
    arithmetic = Ground(n=len(tested)).with_(
        measurements=[Measurement("grace period", grace_s, "s", n=len(tested), limit=limit)]
    )
    if drain.grace_s and float(drain.grace_s) != grace_s:
        return arithmetic.failed(
            f"terminationGracePeriodSeconds {float(drain.grace_s):g}, as {drain.grace_s.value} asks",
            f"{grace_s:g} in the live pod",
            "let the template use the value",
        )
    facts = [request.fact for request in tested]
    ground = arithmetic.with_(evidence=facts)
    lost = next((request.row for request in reversed(tested) if request.is_lost), None)
    answered = [request for request in tested if request.row.right]
    spent = next(
        (request.row for request in reversed(tested) if request.is_spent and not (request.is_further and answered)),
        None,
    )
    if grace_s < needed_s:
        return ground.failed(
            f"a grace period of {needed_s:g} s or more: {sum_}",
            f"{grace_s:g} s in the live pod",
            "raise terminationGracePeriodSeconds, or lower the drain budget or the preStop hook",
            rows=[lost] if lost else [],
        )
    if unheeded := value_without_effect(drain, deletion, ground):
        return unheeded
    if doubt := untested(deletion, tested):
        return doubt
    if lost:
        return ground.failed(
            f"requests with most of the {deletion.budget_s:g} s budget left at SIGTERM are answered",
            f"{len(facts)} tested, one was not: {'; '.join(facts)}"[:300],
            "let the server wait as long as the budget that it is given",
            rows=[lost],
        )
    if spent:
        return ground.inconclusive(
            "a request near the budget that fits into it",
            "; ".join(facts),
            "give the cluster more cores: the same request fits undisturbed",
            rows=[spent],
        )
    shorter = deletion.shorter
    if shorter and (doubt := untried(deletion, shorter)):
        return doubt
    tried = f"; what takes longer is given up with {shorter.budget_s:g} s" if shorter and not shorter.refused else ""
    old = any(request.age_s + request.remaining_s > deletion.budget_s for request in answered)
    return ground.passed(
        f"a grace period of {needed_s:g} s or more ({sum_}), and requests near the budget answered",
        f"{grace_s:g} s; {len(answered)} of {len(tested)} answered{tried}",
        detects=f"a drain cut before {max(request.remaining_s for request in answered):.1f} s"
        + ("; a budget that counts from a request's arrival" if old else "")
        + ("; a budget that its value does not govern" if tried else ""),
    )


def accepted_beyond(deletion: PodDeletion, shorter: ShorterDrain) -> Request | None:
    """The request that takes longer than the shorter budget, if the pod had it when it was told to stop."""
    rows = deletion.ledger.of(BEYOND).to(shorter.pod)
    return next(iter(rows.select(~np.isnan(rows.connected_s) & (rows.ended_s > shorter.told_s))), None)


def value_without_effect(drain: Drain, deletion: PodDeletion, ground: Ground) -> Verdict | None:
    """The failure of a pod that answered what takes longer, when the shorter budget was long over."""
    shorter, budget = deletion.shorter, drain.budget_s
    row = accepted_beyond(deletion, shorter) if shorter else None
    if shorter is None or row is None or not isinstance(budget, Governed):
        return None
    if not row.right or row.ended_s < shorter.decisive_s:
        return None
    took = f"answered after {row.ended_s - shorter.told_s:.1f} s"
    return ground.failed(
        f"what takes longer given up when {budget.value} is {shorter.budget_s:g}",
        f"a request with {shorter.work_s:.1f} s of work left at SIGTERM was {took}"
        + ("" if shorter.replaced else f"; {NOT_REPLACED} {budget.value}, which did not reach them"),
        "let the server take its drain budget from the value; where it has none, promise a number that none governs"
        if shorter.replaced
        else ROLL_OUT,
        rows=[row],
    )


def untried(deletion: PodDeletion, shorter: ShorterDrain) -> Verdict | None:
    """Why the shorter budget was not put to the test, if it was not; a chart that refuses it has said so."""
    row = accepted_beyond(deletion, shorter)
    if shorter.refused or (row and not row.right):
        return None
    became = f"one that was answered after {row.ended_s - shorter.told_s:.1f} s" if row else "none"
    return Ground().inconclusive(
        f"a request with {shorter.work_s:.1f} s of work at a pod with a budget of {shorter.budget_s:g} s",
        became,
        "run again; if it stays so, the long case does not take the time it is asked to",
    )


def untested(deletion: PodDeletion, tested: list[NearTheBudget]) -> Verdict | None:
    """Why the budget was not put to the test, if it was not."""
    undisturbed = deletion.ledger.of(UNDISTURBED)
    if not len(undisturbed) or not undisturbed.right.all():
        return Ground().inconclusive(
            "an undisturbed request as long as most of the drain budget, answered right",
            f"{len(undisturbed)} sent, {int(undisturbed.right.sum())} right",
            "declare inference.long in the contract, and see that it works",
        )
    if not tested:
        return Ground().inconclusive(
            f"a request with {LEAST:.0%} to {MOST:.0%} of the {deletion.budget_s:g} s budget left at SIGTERM",
            "none",
            "run again; if it stays so, the long case does not take the time it is asked to, or a limit refuses it",
        )
    return None


def taken_by_prestop_s(round: Round) -> float:
    """A hook that does not say how long it takes is measured: from the deletion to the sign of SIGTERM."""
    return round.prestop_s if round.prestop_known else round.told_s - round.deleted_s


def near_the_budget(deletion: PodDeletion, limits: Limits | None) -> list[NearTheBudget]:
    """The requests that put the budget to the test; how long one takes is known from one that nobody stopped."""
    return [
        near
        for round in deletion.loaded()
        for load, length_s in lengths_s(deletion, round).items()
        for row in _taken_in(deletion, limits, round, load)
        if (near := _near(deletion, round, row, remaining_s=length_s - (round.told_s - row.sent_s)))
    ]


def lengths_s(deletion: PodDeletion, round: Round) -> dict[str, float]:
    """How long the requests near the budget take, by their loads; without those of which it is not known."""
    alone = deletion.ledger.of(undisturbed_as(round.asks))
    kept = deletion.ledger.in_group(round.index).of(EARLY_AT_OTHER)
    known = {NEAR_BUDGET: (alone, round.nearer_s), EARLY: (kept, 0.0)}
    return {
        load: float(rows.ended_s[0] - rows.sent_s[0]) + more_s
        for load, (rows, more_s) in known.items()
        if len(rows) and rows.right.all()
    }


def _taken_in(deletion: PodDeletion, limits: Limits | None, round: Round, load: str) -> Ledger:
    """Without what a declared limit refused, and what the pod may have read after it was told to stop.

    A limit refuses with the body that it declares, or before SIGTERM could be the cause.
    """
    rows = deletion.ledger.of(load).to(round.victim).in_group(round.index)
    before = rows.ended_s < min(round.sigterm_due_s, round.told_s)
    refused = surely_refused(rows, limits) | (before & refused_as(rows, limits.rejects if limits else ()))
    sent = connected(deletion, round, limits)
    unread = np.isin(rows.row, sent.row[perhaps_unread(sent, round)])
    return rows.select(~refused & ~unread)


def _near(deletion: PodDeletion, round: Round, row: Request, remaining_s: float) -> NearTheBudget | None:
    if not LEAST * deletion.budget_s <= remaining_s <= MOST * deletion.budget_s:
        return None
    age_s = round.told_s - row.sent_s
    became = "answered right" if row.right else row.became
    sent = f", sent {age_s:.1f} s before" if row.load == EARLY else ""
    of = f" of {round.asks}" if round.asks else ""
    fact = f"round {round.index}: {remaining_s:.1f} s of work{of} left at SIGTERM{sent}, {became}"
    over_budget = row.row in deletion.over_budget(round).row
    return NearTheBudget(row, fact, age_s, remaining_s, over_budget, row.load == EARLY or round.nearer_s > 0)
