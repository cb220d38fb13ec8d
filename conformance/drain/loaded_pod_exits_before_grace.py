"""A loaded pod that is deleted ends by itself before its grace period is over.

Source: Kubernetes, "Pod Lifecycle", termination of pods: what still runs at the end of the grace period is
killed (exit code 137). The final state is in the object before it is removed.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from seatrial.contract import Drain
from seatrial.ledger import Ledger
from seatrial.suite import check
from seatrial.trials.pod_deletion import NO_LOAD, REQUESTS, PodDeletion, Round
from seatrial.verdict import Ground, Measurement, Verdict

MARGIN_S = 1.0
KILLED = 137


@check("D5", level="MUST", ablation=NO_LOAD)
def loaded_pod_exits_before_grace(drain: Drain | None, deletion: PodDeletion) -> Verdict:
    exit_codes = drain.exit_codes if drain else (0, 143)
    exits = list(exits_of(deletion, exit_codes))
    ground = Ground(n=len(exits), evidence=tuple(exit.fact for exit in exits))
    if wrong := next((exit.wrong for exit in exits if exit.wrong), ""):
        return ground.failed(
            "an exit by itself, with a declared code, before the end of the grace period",
            wrong,
            "let SIGTERM reach the server, bound its drain below the grace period, and exit when it is done",
        )
    if not any(len(requests_of(deletion, round).open_at(round.told_s)) for round in deletion.loaded()):
        return Ground(n=0).inconclusive(
            "a request in flight at SIGTERM", "none", "raise the work per request, or declare a long case"
        )
    if overworked := next((exit.overworked for exit in exits if exit.overworked), ""):
        return ground.inconclusive(
            "a drain whose work fits into its budget",
            overworked,
            "give the cluster more cores: the same requests fit undisturbed",
        )
    if vanished := [round.index for round in deletion.loaded() if not deletion.exits(round)]:
        return ground.inconclusive(
            "the final state of every container of the victim",
            f"round {vanished[0]}: the pod vanished without one",
            "run again; if it stays so, the watch loses events",
        )
    longest_s = max(exit.took_s for exit in exits)
    limit = f"< {deletion.loaded()[0].grace_period_s - MARGIN_S:.0f} s"
    return ground.with_(measurements=[Measurement("slowest exit", longest_s, "s", n=len(exits), limit=limit)]).passed(
        "every container exits by itself before the end of the grace period",
        f"{len(exits)} exits, the slowest after {longest_s:.1f} s",
        detects="any container that has to be killed in these rounds",
    )


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container of a victim ended, and what is to be said against it, "" where nothing is."""

    fact: str
    took_s: float  # from the pod's deletion
    wrong: str = ""
    overworked: str = ""


def exits_of(deletion: PodDeletion, exit_codes: Collection[int]) -> Iterator[Exit]:
    """The end of every container of every victim under load; `exit_codes` are those that are declared."""
    for round in deletion.loaded():
        for end in deletion.exits(round):
            took_s = max(0.0, deletion.exit_s(end) - round.deleted_s)
            fact = f"round {round.index}: {end.container} exited {end.exit_code} ({end.reason}) after {took_s:.1f} s"
            if end.exit_code == KILLED or took_s >= round.grace_period_s - MARGIN_S:
                yield Exit(fact, took_s, wrong=f"{fact}, of a grace period of {round.grace_period_s:.0f} s")
            elif end.exit_code in exit_codes:
                yield Exit(fact, took_s)
            elif len(deletion.over_budget(round)):
                yield Exit(fact, took_s, overworked=f"{fact}, with work left when its whole budget was spent")
            else:
                yield Exit(fact, took_s, wrong=f"{fact}; declared are {', '.join(map(str, exit_codes))}")


def requests_of(deletion: PodDeletion, round: Round) -> Ledger:
    """The requests that a round sent to its victim."""
    return deletion.ledger.in_group(round.index).to(round.victim).of(*REQUESTS)
