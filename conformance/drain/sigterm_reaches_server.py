"""SIGTERM reaches the server: it shows that it drains, loaded or idle, and is not killed.

Source: Kubernetes, "Pod Lifecycle": the runtime sends SIGTERM to process 1 of each container only.
"""

from seatrial.suite import check
from seatrial.trials.pod_deletion import PodDeletion
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed
from seatrial.watch.pods import terminations

WITHIN_S = 2.0
KILLED = 137


@check("D8", level="MUST")
def sigterm_reaches_server(deletion: PodDeletion) -> Verdict:
    delays_s: list[float] = []
    facts: list[str] = []
    deaf: list[str] = []
    for round in deletion.rounds:
        kind = "loaded" if round.loaded else "idle"
        changes = deletion.timeline.changes
        ended = [end for end in terminations(changes, round.victim) if end.seen_s > round.deleted_s]
        if not ended:
            return inconclusive(
                "the final state of the victim", f"round {round.index}: the pod vanished without one", "run again"
            )
        signs_s = [end.seen_s for end in ended if end.exit_code != KILLED]
        if round.drain_sign_s is not None:
            signs_s.append(round.drain_sign_s)
        delay_s = min(signs_s, default=float("inf")) - round.sigterm_due_s
        codes = ", ".join(str(end.exit_code) for end in ended)
        facts.append(f"round {round.index} ({kind}): sign {delay_s:.2f} s after SIGTERM was due, exit code {codes}")
        if delay_s > WITHIN_S or any(end.exit_code == KILLED for end in ended):
            deaf.append(facts[-1])
        delays_s.append(delay_s)
    idle = sum(not round.loaded for round in deletion.rounds)
    if len(facts) < 2 or not idle:
        return inconclusive("a loaded and an idle deletion", f"{len(facts)} rounds, {idle} idle", "run again")
    if deaf:
        return failed(
            f"a sign of draining within {WITHIN_S:g} s of SIGTERM, and no kill",
            deaf[0],
            "exec the server as process 1, or use an init that forwards signals; install the handler before serving",
            n=len(facts),
            evidence=facts,
        )
    return passed(
        f"a sign of draining within {WITHIN_S:g} s of SIGTERM in each deletion, and no kill",
        f"{len(facts)} deletions, the slowest sign after {max(delays_s):.2f} s",
        n=len(facts),
        measurements=[
            Measurement("sign after SIGTERM, slowest", max(delays_s), "s", n=len(facts), limit=f"<= {WITHIN_S:g} s")
        ],
        evidence=facts,
        detects="a server that any of these deletions left untold",
    )
