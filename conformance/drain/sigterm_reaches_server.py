"""SIGTERM reaches the server: it shows that it drains, loaded or idle, and is not killed.

Source: Kubernetes, "Pod Lifecycle": the runtime sends SIGTERM to process 1 of each container only.
"""

import json

from seatrial.contract import Drain
from seatrial.ledger import Request
from seatrial.suite import check
from seatrial.trials.pod_deletion import NOT_DELETED, PodDeletion, Round
from seatrial.verdict import Ground, Measurement, Verdict
from seatrial.watch.ownership import own_changes
from seatrial.watch.pods import endpoint_states

WITHIN_S = 2.0
KILLED = 137


@check("D8", level="MUST", ablation=NOT_DELETED)
def sigterm_reaches_server(drain: Drain | None, deletion: PodDeletion) -> Verdict:
    # Without a declared sign a server may drain in silence: then only its end tells.
    declared = drain is not None and bool(drain.sign_log)
    delays_s: list[float] = []
    facts: list[str] = []
    deaf: list[str] = []
    vanished: list[str] = []
    for round in deletion.rounds:
        ended = deletion.exits(round)
        if not ended:
            vanished.append(f"round {round.index}: the pod vanished without one")
            continue
        by_themselves_s = [deletion.exit_s(end) for end in ended if end.exit_code != KILLED]
        delay_s = min([*signs_s(deletion, round), *by_themselves_s], default=float("inf")) - round.sigterm_due_s
        codes = ", ".join(str(end.exit_code) for end in ended)
        kind = "loaded" if round.loaded else "idle"
        facts.append(f"round {round.index} ({kind}): sign {delay_s:.2f} s after SIGTERM was due, exit code {codes}")
        late = delay_s > WITHIN_S and declared and round.prestop_known
        if late or len(by_themselves_s) < len(ended):
            deaf.append(facts[-1])
        delays_s.append(delay_s)
    ground = Ground(len(facts), evidence=tuple(facts))
    if deaf:
        return ground.failed(
            f"a sign of draining within {WITHIN_S:g} s of SIGTERM, and no kill",
            deaf[0],
            "exec the server as process 1, or use an init that forwards signals; install the handler before serving",
        )
    idle = sum(not round.loaded for round in deletion.rounds)
    if vanished or len(facts) < 2 or not idle:
        return ground.inconclusive(
            "the final state of the victims of a loaded and an idle deletion",
            (vanished or [f"{len(facts)} rounds, {idle} idle"])[0],
            "run again",
        )
    timed = f"a sign of draining within {WITHIN_S:g} s of SIGTERM in each deletion, and no kill"
    limit = f"<= {WITHIN_S:g} s" if declared else ""
    slowest = Measurement("sign after SIGTERM, slowest", max(delays_s), "s", n=len(facts), limit=limit)
    return ground.with_(measurements=[slowest]).passed(
        timed if declared else "an end without a kill in each deletion",
        f"{len(facts)} deletions, the slowest sign after {max(delays_s):.2f} s",
        detects="a server that any of these deletions left untold",
    )


def signs_s(deletion: PodDeletion, round: Round) -> list[float]:
    """When the victim showed that it was told: in its log, by its readiness, its listener, or its answers."""
    signs = [] if round.drain_sign_s is None else [round.drain_sign_s]
    signs += [
        state.at_s
        for state in endpoint_states(own_changes(deletion), round.victim)
        if state.at_s > round.deleted_s and state.present and not state.serving
    ]
    connects = deletion.ledger.of("connect").to(round.victim)
    signs += connects.sent_s[
        (connects.error == connects.code("refused")) & (connects.sent_s > round.deleted_s)
    ].tolist()
    kept = [row for row in deletion.ledger.in_group(round.index).to(round.victim) if row.load.startswith("kept-")]
    if any(row.status and not _told_to_close(row) and row.ended_s <= round.deleted_s for row in kept):
        signs += [row.first_byte_s for row in kept if _told_to_close(row) and row.first_byte_s > round.deleted_s]
    return signs


def _told_to_close(row: Request) -> bool:
    return str(json.loads(row.headers or "{}").get("connection", "")).lower() == "close"
