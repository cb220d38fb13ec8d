"""A deleted pod leaves the Service's endpoints before its socket closes.

Source: Kubernetes, "Pod Lifecycle", termination of pods: the endpoint update and the shutdown start together,
and nothing orders them; contract `drain.propagation_s` says how long new connections may still arrive.
A TCP connect to the pod's own address every 20 ms shows when the socket closed; where a drain is promised, that of a
pod with nothing to do, too.
"""

from dataclasses import dataclass

import numpy as np

from seatrial.contract import Drain
from seatrial.ledger import Ledger
from seatrial.suite import check
from seatrial.trials.pod_deletion import NO_CONNECTS, PodDeletion, Round
from seatrial.verdict import Ground, Measurement, Verdict
from seatrial.watch.ownership import own_changes
from seatrial.watch.pods import EndpointState, endpoint_states

CONNECT_PERIOD_S = 0.02
WANTED_CONNECTS = 20


@check("D4", level="MUST", ablation=NO_CONNECTS)
def unready_before_socket_closes(drain: Drain | None, deletion: PodDeletion) -> Verdict:
    rounds = judged(drain, deletion)
    doubts = {round.index: unseen(deletion, round) for round in rounds}
    departures = [departure(deletion, round) for round in rounds if doubts[round.index] is None]
    ground = Ground(n=len(departures), evidence=tuple(departed.fact for departed in departures))
    if broken := [what for departed in departures for what in departed.broken]:
        closed_rows = [row for departed in departures for row in departed.refused_rows]
        return ground.failed(
            f"the endpoint not ready first, and connections accepted for {deletion.propagation_s:g} s",
            broken[0],
            "keep accepting after SIGTERM, or sleep in preStop, until every proxy has dropped the endpoint",
            rows=deletion.ledger.select(np.isin(deletion.ledger.row, closed_rows)),
        )
    if doubt := next(filter(None, doubts.values()), None):
        return doubt
    if late := next((departed.fact for departed in departures if departed.is_late), ""):
        return ground.inconclusive(
            f"an endpoint not ready within {deletion.propagation_s:g} s of the deletion",
            late,
            "the socket stayed open for as long as promised: see why the cluster's endpoints lag",
        )
    if not departures:
        return ground.inconclusive("a deletion under load", "none", "run again")
    expected = (
        f"the endpoint not ready before the socket closes, {deletion.propagation_s:g} s or more after the deletion"
    )
    detects = f"a socket closed less than {deletion.propagation_s:g} s after the deletion in any of the rounds"
    leads_s = [departed.open_for_s for departed in departures if departed.open_for_s is not None]
    if not leads_s:
        return ground.passed(expected, departures[0].fact, detects=detects)
    least_s, limit = min(leads_s), f">= {deletion.propagation_s:g} s"
    least = Measurement("socket open after deletion, least", least_s, "s", n=len(leads_s), limit=limit)
    return ground.with_(measurements=[least]).passed(
        expected,
        f"{len(departures)} rounds, the socket closed first {least_s:.2f} s after the deletion",
        detects=detects,
    )


def judged(drain: Drain | None, deletion: PodDeletion) -> list[Round]:
    """The loaded rounds, and idle ones where the contract says for how long new connections are accepted.

    Records from before connects were sent to an idle pod have none there.
    """
    return [round for round in deletion.rounds if round.loaded or bool(drain and len(connections(deletion, round)))]


def unseen(deletion: PodDeletion, round: Round) -> Verdict | None:
    """Why a round cannot tell what came first, if it cannot."""
    before, after = states_around(deletion, round)
    if not (before and before[-1].ready) or not any(state.terminating or not state.present for state in after):
        return Ground().inconclusive(
            "the victim's endpoint ready before its deletion, and terminating or removed after it",
            f"round {round.index}: {len(before)} states before, {len(after)} after, none of them so",
            "see that the Service selects the pods, then run again",
        )
    # Beside the idle victim another pod is being deleted, and one for it may not be Ready yet.
    if round.loaded and not others_ready(deletion, round):
        return Ground().inconclusive(
            "another ready endpoint beside the victim's", f"round {round.index}: none", "run two or more replicas"
        )
    connects = connections(deletion, round)
    tried = connects.select(connects.sent_s > round.deleted_s)
    short = len(tried) < WANTED_CONNECTS or float(tried.sent_s.max()) < open_until_s(deletion, round)
    if closes_s(connects, round) is None and short:
        return Ground(n=len(tried)).inconclusive(
            f"connects to the victim for {deletion.propagation_s:g} s after its deletion",
            f"round {round.index}: {len(tried)}",
            "give the generator a core",
        )
    return None


@dataclass(frozen=True, slots=True)
class Departure:
    """How the victim of one round left: its endpoint, and its socket."""

    fact: str
    open_for_s: float | None  # its socket, after the deletion; None: it was not seen to close
    broken: tuple[str, ...]  # what it was to do and did not
    refused_rows: tuple[int, ...]  # that show a socket which closed too early
    is_late: bool  # the socket was open for as long as promised, and closed before the endpoint was seen to go


def departure(deletion: PodDeletion, round: Round) -> Departure:
    """What the endpoint's states and the connects of a round show."""
    _, after = states_around(deletion, round)
    connects = connections(deletion, round)
    closed_s = closes_s(connects, round)
    unready_s = next((state.at_s for state in after if not state.ready), None)
    fact = (
        f"round {round.index}: endpoint not ready {_after(unready_s, round)}, socket closed {_after(closed_s, round)}"
    )
    broken: list[str] = []
    refused_rows: list[int] = []
    if unready_s is None or any(state.ready and state.terminating for state in after):
        broken.append(f"{fact}: the endpoint stayed ready")
    promised_s = open_until_s(deletion, round)
    if closed_s is not None and closed_s < promised_s:
        broken.append(fact)
        refused = (connects.sent_s >= closed_s) & (connects.error != connects.code(""))
        refused_rows = connects.row[refused][:3].tolist()
    return Departure(
        fact,
        None if closed_s is None else closed_s - round.deleted_s,
        tuple(broken),
        tuple(refused_rows),
        closed_s is not None and unready_s is not None and promised_s <= closed_s < unready_s,
    )


def states_around(deletion: PodDeletion, round: Round) -> tuple[list[EndpointState], list[EndpointState]]:
    """The states of the victim's endpoint until its deletion, and after it."""
    states = endpoint_states(own_changes(deletion), round.victim)
    before = [state for state in states if state.at_s <= round.deleted_s]
    return before, [state for state in states if state.at_s > round.deleted_s]


def open_until_s(deletion: PodDeletion, round: Round) -> float:
    """Until when new connections have to be accepted, as far as connects can tell."""
    return round.deleted_s + deletion.propagation_s - CONNECT_PERIOD_S


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
