"""An upgrade under load loses no request.

Source: Kubernetes, "Deployments", rolling update; "Virtual IPs and Service Proxies"; contract `rollout`.
Judged on what went through the Service, from before the first upgrade until after the last old pod was gone. A declared
refusal by a pod that stays is the limit at work; by one that goes, it is a loss.
"""

import numpy as np

from seatrial.contract import Limits, Rollout
from seatrial.ledger import Ledger, Mask, Request
from seatrial.observation import STOOD_STILL_S
from seatrial.stats.proportions import zero_event_bound
from seatrial.suite import check
from seatrial.trials.upgrade import LEAD_S, NO_UPGRADE, SERVICE, WANTED_ROWS, Upgrade
from seatrial.trials.workload import is_declared_refusal
from seatrial.verdict import Ground, Measurement, Verdict

WANTED_MET = 5  # connections, after a deletion, to the pod that goes
TOLERANCE_S = 0.5  # between two Poisson arrivals there may be as much


@check("R1", level="MUST", ablation=NO_UPGRADE)
def upgrade_under_load_zero_loss(rollout: Rollout, limits: Limits | None, upgrade: Upgrade) -> Verdict:
    rows = upgrade.ledger.of(SERVICE)
    ground = Ground(n=len(rows))
    apart = _declared_refusals(limits, upgrade, rows)
    elsewhere = (upgrade.environmental(rows) | upgrade.misrouted(rows)) & ~rows.right
    lost = rows.select(~rows.right & ~apart & ~elsewhere)
    if len(lost):
        first = next(iter(lost))
        return ground.failed(
            f"{len(rows)} right and whole answers through {len(upgrade.rounds)} upgrades",
            f"{len(lost)} lost or wrong, the first {first.became} {_when(upgrade, first)}",
            "be Ready only when requests can be answered; keep serving after SIGTERM until endpoints and proxies have "
            "noticed; and never take the last ready pod away (maxUnavailable)",
            rows=lost,
        )
    if short := _precondition(upgrade, rows):
        return ground.inconclusive(*short)
    if apart.any() or elsewhere.any():
        return ground.inconclusive(
            "no error that the upgrade cannot be blamed for",
            f"{int(apart.sum())} declared refusals, {int(elsewhere.sum())} errors shared with the beacon or of a "
            "network that still led to a pod long gone",
            "raise the limit among the chart's values, for 0.3 of the capacity is light; or add cores",
            rows=rows.select(apart | elsewhere),
        )
    met = int(upgrade.met_a_leaving_pod(rows).sum())
    n, bound = len(rows), zero_event_bound(len(rows))
    measured = [Measurement("requests lost", 0, n=n, low=0.0, high=bound, confidence=0.95, limit="= 0")]
    return ground.with_(measurements=measured).passed(
        f"{WANTED_ROWS} or more right and whole answers, before, through and after upgrades",
        f"{n} of {n} through {len(upgrade.rounds)} upgrades at {upgrade.offered_rps:.0f}/s, {met} of them by a pod "
        "after its deletion",
        detects=f"a loss of {bound:.2%} of the requests around an upgrade, at 95% confidence",
    )


def _precondition(upgrade: Upgrade, rows: Ledger) -> tuple[str, str, str] | None:
    """What keeps a run without a loss from being a pass; None if nothing does."""
    for round in upgrade.rounds:
        if round.finished_s is None:
            return (
                "every pod of the old revision replaced under load",
                f"upgrade {round.index}: not finished after {round.load_s[1] - round.changed_s:.0f} s",
                "see that contract rollout.change alters the pod template, and that new pods become Ready",
            )
        sent_s = rows.in_group(round.index).sent_s
        ahead_s = round.changed_s - float(np.nanmin(sent_s, initial=np.inf))
        behind_s = float(np.nanmax(sent_s, initial=-np.inf)) - round.finished_s
        if min(ahead_s, behind_s) < LEAD_S - TOLERANCE_S:
            return (
                f"load for {LEAD_S:g} s before and after each upgrade",
                f"upgrade {round.index}: {ahead_s:.1f} s before, {behind_s:.1f} s after",
                "run again; the load may not stop",
            )
    met = int(upgrade.met_a_leaving_pod(rows).sum())
    if met < WANTED_MET:
        return (
            f"{WANTED_MET} requests that met a pod after its deletion",
            f"{met} of {len(rows)}",
            "run again; where a proxy chooses the pod, as on kind, let answers name theirs in the header X-Served-By",
        )
    if len(rows) < WANTED_ROWS:
        return (
            f"{WANTED_ROWS} requests around upgrades",
            f"{len(rows)} in {len(upgrade.rounds)} upgrades at {upgrade.offered_rps:.1f}/s",
            "give the replicas more capacity: 0.3 of it is sent",
        )
    return None


def _declared_refusals(limits: Limits | None, upgrade: Upgrade, rows: Ledger) -> Mask:
    """Which rows were refused for a declared limit by a pod that stays, or as the machine stood still, shape (n,)."""
    rejects = limits.rejects if limits else ()
    # A refusal without a declared body could as well be the upgrade's own.
    declared = [
        row.row for row in rows if not row.right and any(r.body and is_declared_refusal(row, r) for r in rejects)
    ]
    leaving = upgrade.met_a_leaving_pod(rows)
    refusals: Mask = np.isin(rows.row, declared) & (~leaving | upgrade.held_up(rows, STOOD_STILL_S))
    return refusals


def _when(upgrade: Upgrade, row: Request) -> str:
    """When a request was sent, from its upgrade on."""
    round = upgrade.round_of(row)
    return f"{row.sent_s - round.changed_s:.2f} s after upgrade {round.index} began"
