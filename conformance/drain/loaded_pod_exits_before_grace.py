"""A loaded pod that is deleted ends by itself before its grace period is over.

Source: Kubernetes, "Pod Lifecycle", termination of pods: what still runs at the end of the grace period is
killed (exit code 137). The final state is in the object before it is removed.
"""

from seatrial.contract import Drain
from seatrial.suite import check
from seatrial.trials.pod_deletion import NO_LOAD, REQUESTS, PodDeletion
from seatrial.verdict import Measurement, Verdict, failed, inconclusive, passed

MARGIN_S = 1.0
KILLED = 137


@check("D5", level="MUST", ablation=NO_LOAD)
def loaded_pod_exits_before_grace(drain: Drain | None, deletion: PodDeletion) -> Verdict:
    exit_codes = drain.exit_codes if drain else (0, 143)
    longest_s = 0.0
    states: list[str] = []
    wrong: list[str] = []
    open_then = 0
    vanished: list[str] = []
    overworked: list[str] = []
    for round in deletion.loaded():
        requests = deletion.ledger.in_group(round.index).to(round.victim).of(*REQUESTS)
        open_then += len(requests.open_at(round.told_s))
        ended = deletion.exits(round)
        if not ended:
            vanished.append(f"round {round.index}: the pod vanished without one")
        for end in ended:
            took_s = max(0.0, deletion.exit_s(end) - round.deleted_s)
            longest_s = max(longest_s, took_s)
            states.append(
                f"round {round.index}: {end.container} exited {end.exit_code} ({end.reason}) after {took_s:.1f} s"
            )
            if end.exit_code == KILLED or took_s >= round.grace_period_s - MARGIN_S:
                wrong.append(f"{states[-1]}, of a grace period of {round.grace_period_s:.0f} s")
            elif end.exit_code not in exit_codes and len(deletion.over_budget(round)):
                overworked.append(f"{states[-1]}, with work left when its whole budget was spent")
            elif end.exit_code not in exit_codes:
                wrong.append(f"{states[-1]}; declared are {', '.join(map(str, exit_codes))}")
    if not open_then:
        return inconclusive(
            "a request in flight at SIGTERM", "none", "raise the work per request, or declare a long case", n=0
        )
    if wrong:
        return failed(
            "an exit by itself, with a declared code, before the end of the grace period",
            wrong[0],
            "let SIGTERM reach the server, bound its drain below the grace period, and exit when it is done",
            n=len(states),
            evidence=states,
        )
    if overworked:
        return inconclusive(
            "a drain whose work fits into its budget", overworked[0],
            "give the cluster more cores: the same requests fit undisturbed", n=len(states), evidence=states,
        )  # fmt: skip
    if vanished:
        return inconclusive(
            "the final state of every container of the victim", vanished[0],
            "run again; if it stays so, the watch loses events", n=len(states), evidence=states,
        )  # fmt: skip
    return passed(
        "every container exits by itself before the end of the grace period",
        f"{len(states)} exits, the slowest after {longest_s:.1f} s",
        n=len(states),
        measurements=[
            Measurement(
                "slowest exit",
                longest_s,
                "s",
                n=len(states),
                limit=f"< {deletion.loaded()[0].grace_period_s - MARGIN_S:.0f} s",
            )
        ],
        evidence=states,
        detects="any container that has to be killed in these rounds",
    )
