"""A deleted pod leaves the Service's endpoints before its socket closes.

Source: Kubernetes, "Pod Lifecycle", termination of pods: the endpoint update and the shutdown start together,
and nothing orders them; contract `drain.propagation_s` says how long new connections may still arrive.
A TCP connect to the pod's own address every 20 ms shows when the socket closed.
"""

import numpy as np

from seatrial.ledger import Ledger
from seatrial.suite import check
from seatrial.trials.pod_deletion import NO_CONNECTS, PodDeletion, Round
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed
from seatrial.watch.ownership import own_changes
from seatrial.watch.pods import endpoint_states

CONNECT_PERIOD_S = 0.02
WANTED_CONNECTS = 20


@check("D4", level="MUST", ablation=NO_CONNECTS)
def unready_before_socket_closes(deletion: PodDeletion) -> Verdict:
    broken: list[str] = []
    late: list[str] = []
    leads_s: list[float] = []
    closed_rows: list[int] = []
    facts: list[str] = []
    for round in deletion.loaded():
        states = endpoint_states(own_changes(deletion), round.victim)
        before = [state for state in states if state.at_s <= round.deleted_s]
        after = [state for state in states if state.at_s > round.deleted_s]
        connects = connections(deletion, round)
        if not (before and before[-1].ready) or not any(state.terminating or not state.present for state in after):
            return inconclusive(
                "the victim's endpoint ready before its deletion, and terminating or removed after it",
                f"round {round.index}: {len(before)} states before, {len(after)} after, none of them so",
                "see that the Service selects the pods, then run again",
            )
        if not others_ready(deletion, round):
            return inconclusive(
                "another ready endpoint beside the victim's", f"round {round.index}: none", "run two or more replicas"
            )
        closed_s = closes_s(connects, round)
        open_until_s = round.deleted_s + deletion.propagation_s - CONNECT_PERIOD_S
        tried = connects.select(connects.sent_s > round.deleted_s)
        if closed_s is None and (len(tried) < WANTED_CONNECTS or float(tried.sent_s.max()) < open_until_s):
            return inconclusive(
                f"connects to the victim for {deletion.propagation_s:g} s after its deletion",
                f"round {round.index}: {len(tried)}",
                "give the generator a core",
                n=len(tried),
            )
        unready_s = next((state.at_s for state in after if not state.ready), None)
        facts.append(
            f"round {round.index}: endpoint not ready {_after(unready_s, round)}, "
            f"socket closed {_after(closed_s, round)}"
        )
        if unready_s is None or any(state.ready and state.terminating for state in after):
            broken.append(f"{facts[-1]}: the endpoint stayed ready")
        if closed_s is None:
            continue
        leads_s.append(closed_s - round.deleted_s)
        if closed_s < open_until_s:
            broken.append(facts[-1])
            refused = (connects.sent_s >= closed_s) & (connects.error != connects.code(""))
            closed_rows.extend(connects.row[refused][:3].tolist())
        elif unready_s is not None and closed_s < unready_s:
            late.append(facts[-1])
    if broken:
        rows = deletion.ledger.select(np.isin(deletion.ledger.row, closed_rows))
        return failed(
            f"the endpoint not ready first, and connections accepted for {deletion.propagation_s:g} s",
            broken[0],
            "keep accepting after SIGTERM, or sleep in preStop, until every proxy has dropped the endpoint",
            n=len(facts),
            rows=rows,
            evidence=facts,
        )
    if late:
        return inconclusive(
            f"an endpoint not ready within {deletion.propagation_s:g} s of the deletion",
            late[0],
            "the socket stayed open for as long as promised: see why the cluster's endpoints lag",
            n=len(facts),
            evidence=facts,
        )
    if not facts:
        return inconclusive("a deletion under load", "none", "run again", n=0)
    least_s = min(leads_s, default=float("nan"))
    return passed(
        f"the endpoint not ready before the socket closes, {deletion.propagation_s:g} s or more after the deletion",
        f"{len(facts)} rounds, the socket closed first {least_s:.2f} s after the deletion" if leads_s else facts[0],
        n=len(facts),
        measurements=[
            Measurement(
                "socket open after deletion, least",
                least_s,
                "s",
                n=len(leads_s),
                limit=f">= {deletion.propagation_s:g} s",
            )
        ]
        if leads_s
        else [],
        evidence=facts,
        detects=f"a socket closed less than {deletion.propagation_s:g} s after the deletion in any of the rounds",
    )


def connections(deletion: PodDeletion, round: Round) -> Ledger:
    """The TCP connects to the victim until its object was gone."""
    rows = deletion.ledger.of("connect").to(round.victim)
    return rows.select(rows.sent_s <= (round.gone_s or deletion.ended_s))


def closes_s(connects: Ledger, round: Round) -> float | None:
    """When the first connect failed after the deletion; None while all got through.

    A connect that times out and has later ones succeed lost packets, and met no closed socket.
    """
    failed = (connects.error != connects.code("")) & (connects.sent_s > round.deleted_s)
    open_s = connects.sent_s[connects.error == connects.code("")]
    last_open_s = float(open_s.max()) if len(open_s) else float("-inf")
    failed &= (connects.error != connects.code("timeout")) | (connects.sent_s > last_open_s)
    return float(connects.sent_s[failed].min()) if failed.any() else None


def others_ready(deletion: PodDeletion, round: Round) -> bool:
    """Another pod's endpoint was ready when the victim was deleted."""
    names = {change.name for change in deletion.timeline.of("Pod")} - {round.victim}
    for name in names:
        states = [s for s in endpoint_states(own_changes(deletion), name) if s.at_s <= round.deleted_s]
        if states and states[-1].ready:
            return True
    return False


def _after(at_s: float | None, round: Round) -> str:
    return "never" if at_s is None else f"{at_s - round.deleted_s:.2f} s after the deletion"
