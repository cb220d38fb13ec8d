"""A loaded pod that is deleted ends by itself before its grace period is over.

Source: Kubernetes, "Pod Lifecycle", termination of pods: what still runs at the end of the grace period is
killed (exit code 137). The final state is in the object before it is removed. A container that ends by itself when
that time was over already says that its node had no time to kill it, and decides nothing.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from seatrial.contract import DeclaredWorkload, Drain
from seatrial.ledger import Ledger
from seatrial.suite import check
from seatrial.trials.drain_end import KILLED, what_held_up
from seatrial.trials.pod_deletion import NO_LOAD, REQUESTS, PodDeletion, Round
from seatrial.verdict import Ground, Measurement, Verdict
from seatrial.watch.pods import Termination

MARGIN_S = 1.0
EXTENSION_S = 2.0


@check("D5", level="MUST", ablation=NO_LOAD)
def loaded_pod_exits_before_grace(drain: Drain | None, workload: DeclaredWorkload, deletion: PodDeletion) -> Verdict:
    exit_codes = drain.exit_codes if drain else (0, 143)
    exits = list(exits_of(deletion, exit_codes, workload.container))
    ground = Ground(n=len(exits), evidence=tuple(exit.fact for exit in exits))
    if wrong := next((exit for exit in exits if exit.wrong), None):
        return ground.failed(
            "an exit by itself, with a declared code, before the end of the grace period", wrong.wrong, wrong.do
        )
    if not any(len(requests_of(deletion, round).open_at(round.told_s)) for round in deletion.loaded()):
        return Ground(n=0).inconclusive(
            "a request in flight at SIGTERM", "none", "raise the work per request, or declare a long case"
        )
    overworked = [exit for exit in exits if exit.overworked]
    if overworked and (len(overworked) == len(exits) or not all(exit.is_further for exit in overworked)):
        return ground.inconclusive(
            "a drain whose work fits into its budget, on a node that ends what outlasts its grace period",
            next(exit.overworked for exit in sorted(overworked, key=lambda exit: exit.is_further)),
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
    do: str = ""  # about what is wrong
    overworked: str = ""  # what says that the machine had no time
    is_further: bool = False  # only what came nearer to the budget than the first round's: others tell its exit code


def exits_of(deletion: PodDeletion, exit_codes: Collection[int], container: str) -> Iterator[Exit]:
    """The end of every container of every victim under load.

    `exit_codes` are those that are declared, `container` is the server's, "" for the pod's first.
    """
    for round in deletion.loaded():
        ends = deletion.exits(round)
        late = [end for end in ends if end.exit_code == KILLED or is_late(deletion, round, end)]
        until, do = what_held_up(deletion, round, late, container)
        for end in ends:
            took_s = taken_s(deletion, round, end)
            fact = f"round {round.index}: {end.container} exited {end.exit_code} ({end.reason}) after {took_s:.1f} s"
            if end in late and end.exit_code != KILLED and took_s > killed_at_s(round):
                grace = f"of a grace period of {round.grace_period_s:.0f} s"
                yield Exit(fact, took_s, overworked=f"{fact}, {grace}, at whose end the kubelet did not kill it")
            elif end in late:
                yield Exit(fact, took_s, f"{fact}, of a grace period of {round.grace_period_s:.0f} s; {until}", do)
            elif end.exit_code in exit_codes:
                yield Exit(fact, took_s)
            elif len(deletion.over_budget(round)):
                left = f"{fact}, with work left when its whole budget was spent"
                yield Exit(fact, took_s, overworked=left, is_further=deletion.only_further_over_budget(round))
            else:
                wrong = f"{fact}; declared are {', '.join(map(str, exit_codes))}"
                yield Exit(fact, took_s, wrong, "exit with a declared code when the drain is done, or declare this one")


def taken_s(deletion: PodDeletion, round: Round, end: Termination) -> float:
    """From the pod's deletion to the end of a container."""
    return max(0.0, deletion.exit_s(end) - round.deleted_s)


def killed_at_s(round: Round) -> float:
    """When the kubelet kills what still runs, from the deletion: a preStop hook that outlasts the grace gets 2 s more.

    Source: Kubernetes, "Pod Lifecycle", termination of pods.
    """
    outlasts = not round.prestop_known or round.prestop_s >= round.grace_period_s
    return round.grace_period_s + (EXTENSION_S if outlasts else 0.0)


def is_late(deletion: PodDeletion, round: Round, end: Termination) -> bool:
    """Less than a second of the grace period was left."""
    return taken_s(deletion, round, end) >= round.grace_period_s - MARGIN_S


def requests_of(deletion: PodDeletion, round: Round) -> Ledger:
    """The requests that a round sent to its victim."""
    return deletion.ledger.in_group(round.index).to(round.victim).of(*REQUESTS)
