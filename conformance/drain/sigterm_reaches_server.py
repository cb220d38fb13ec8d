"""SIGTERM reaches the server: it shows that it drains, loaded or idle, and is not killed.

Source: Kubernetes, "Pod Lifecycle": the runtime sends SIGTERM to process 1 of each container only.
"""

from seatrial.contract import DeclaredWorkload, Drain
from seatrial.suite import check
from seatrial.trials.drain_end import KILLED, UNHEARD, signs_s, what_held_up
from seatrial.trials.pod_deletion import NOT_DELETED, PodDeletion
from seatrial.verdict import Ground, Measurement, Verdict

WITHIN_S = 2.0


@check("D8", level="MUST", ablation=NOT_DELETED)
def sigterm_reaches_server(drain: Drain | None, workload: DeclaredWorkload, deletion: PodDeletion) -> Verdict:
    # Without a declared sign a server may drain in silence: then only its end tells.
    declared = drain is not None and bool(drain.sign_log)
    delays_s: list[float] = []
    facts: list[str] = []
    deaf: list[tuple[str, str]] = []  # what was found, and what to do
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
            killed = [end for end in ended if end.exit_code == KILLED]
            until, do = what_held_up(deletion, round, killed, workload.container)
            deaf.append((f"{facts[-1]}{'; ' if until else ''}{until}", UNHEARD if late else do))
        delays_s.append(delay_s)
    ground = Ground(len(facts), evidence=tuple(facts))
    if deaf:
        return ground.failed(
            f"a sign of draining within {WITHIN_S:g} s of SIGTERM, and no kill",
            *deaf[0],
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
