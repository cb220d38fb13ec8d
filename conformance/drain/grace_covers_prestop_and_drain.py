"""The grace period covers the preStop hook and the whole drain budget.

Source: Kubernetes, "Pod Lifecycle": the grace period counts from the deletion, preStop included; contract
`drain.budget_s` and `drain.grace_s`.
"""

from seatrial.contract import Drain
from seatrial.suite import check
from seatrial.trials.pod_deletion import NOTHING_NEAR_THE_BUDGET, PodDeletion
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed

MARGIN_S = 1.0
LEAST, MOST = 0.7, 0.95  # of the budget: the remaining work that puts it to the test


@check("D7", level="MUST", ablation=NOTHING_NEAR_THE_BUDGET)
def grace_covers_prestop_and_drain(drain: Drain, deletion: PodDeletion) -> Verdict:
    undisturbed = deletion.ledger.of("undisturbed")
    if not len(undisturbed) or not undisturbed.right.all():
        return inconclusive(
            "an undisturbed request as long as most of the drain budget, answered right",
            f"{len(undisturbed)} sent, {int(undisturbed.right.sum())} right",
            "declare inference.long in the contract, and see that it works",
        )
    length_s = float(undisturbed.ended_s[0] - undisturbed.sent_s[0])
    facts: list[str] = []
    tested = 0
    prestop_s = 0.0
    lost = spent = deletion.ledger.of()
    for round in deletion.loaded():
        # A hook that does not say how long it takes is measured: from the deletion to the sign of SIGTERM.
        prestop_s = max(prestop_s, round.prestop_s if round.prestop_known else round.told_s - round.deleted_s)
        rows = deletion.ledger.of("nearly").in_group(round.index)
        for row in rows:
            remaining_s = length_s - (round.told_s - row.sent_s)
            if not LEAST * deletion.budget_s <= remaining_s <= MOST * deletion.budget_s:
                continue
            tested += 1
            facts.append(
                f"round {round.index}: {remaining_s:.1f} s of work left at SIGTERM, "
                f"{'answered right' if row.right else row.error or f'answered {row.status}'}"
            )
            if not row.right:
                one = deletion.ledger.select(deletion.ledger.row == row.row)
                if row.row in deletion.over_budget(round).row:
                    spent = one
                else:
                    lost = one
    if not tested:
        return inconclusive(
            f"a request with {LEAST:.0%} to {MOST:.0%} of the {deletion.budget_s:g} s budget left at SIGTERM",
            "none",
            "run again; if it stays so, the long case does not take the time it is asked to",
        )
    grace_s = min(round.grace_period_s for round in deletion.loaded())
    needed_s = prestop_s + deletion.budget_s + MARGIN_S
    sum_ = f"preStop {prestop_s:g} s + drain {deletion.budget_s:g} s + {MARGIN_S:g} s"
    arithmetic = Measurement("grace period", grace_s, "s", n=tested, limit=f">= {needed_s:g} s ({sum_})")
    promised_s = float(drain.grace_s) if drain.grace_s else None
    if promised_s is not None and promised_s != grace_s:
        return failed(
            f"terminationGracePeriodSeconds {promised_s:g}, as {drain.grace_s.value if drain.grace_s else ''} asks",
            f"{grace_s:g} in the live pod",
            "let the template use the value",
            n=tested,
            measurements=[arithmetic],
        )
    if grace_s < needed_s:
        return failed(
            f"a grace period of {needed_s:g} s or more: {sum_}", f"{grace_s:g} s in the live pod",
            "raise terminationGracePeriodSeconds, or lower the drain budget or the preStop hook",
            n=tested, measurements=[arithmetic], evidence=facts, rows=lost,
        )  # fmt: skip
    if len(lost):
        return failed(
            f"requests with most of the {deletion.budget_s:g} s budget left at SIGTERM are answered",
            f"{len(facts)} tested, one was not: {'; '.join(facts)}"[:300],
            "let the server wait as long as the budget that it is given",
            n=tested, measurements=[arithmetic], evidence=facts, rows=lost,
        )  # fmt: skip
    if len(spent):
        return inconclusive(
            "a request near the budget that fits into it", facts[-1] if len(facts) == 1 else "; ".join(facts),
            "give the cluster more cores: the same request fits undisturbed",
            n=tested, measurements=[arithmetic], evidence=facts, rows=spent,
        )  # fmt: skip
    return passed(
        f"a grace period of {needed_s:g} s or more ({sum_}), and requests near the budget answered",
        f"{grace_s:g} s; {tested} of {tested} answered",
        n=tested,
        measurements=[arithmetic],
        evidence=facts,
        detects=f"a drain cut before {LEAST * deletion.budget_s:.1f} s",
    )
