"""Delete loaded pods, one after the other, and watch each until it is gone.

Every round aims a mix at the victim's own address, timed to the moment at which SIGTERM is due
(`seatrial.trials.drain_loads`). A last pod gets nothing but TCP connects.
Source: Kubernetes, "Pod Lifecycle", termination of pods; contract `drain`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seatrial.contract import governed, placed
from seatrial.ledger import Ledger
from seatrial.observation import Log, Observation, Pod, Timeline
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation, nothing, without
from seatrial.trials.context import TrialContext
from seatrial.trials.drain_loads import Moments, Targets, connects, loads
from seatrial.trials.drain_mix import (
    CONNECT,
    EARLY,
    FURTHER,
    LARGE,
    LARGE_HALF_SENT,
    NEAR_BUDGET,
    NEARLY,
    STREAM,
    Mix,
    nearly_after,
)
from seatrial.trials.sandbox import Sandbox
from seatrial.trials.shorter_drain import BEYOND, ShorterDrain, begin, changed_to, planned
from seatrial.trials.slots import slots_of
from seatrial.trials.trial import trial
from seatrial.trials.undisturbed import fitting
from seatrial.trials.victims import GONE_WITHIN_S, REPLICAS, ready, unused
from seatrial.watch.pods import Termination, ended_s, events, namesake_at_s, of_pod, prestop_sleep_s, terminations

PROPAGATION_S = 3.0  # how long after a deletion new connections may still arrive, unless declared
KEPT = ("kept-0", "kept-1", "kept-2", "kept-3")
REQUESTS = ("short", "half-sent", "long", NEAR_BUDGET, *KEPT, LARGE, LARGE_HALF_SENT, FURTHER)  # at the victim
FURTHER_OF_SECONDS = (EARLY, NEAR_BUDGET)
OF_SECONDS = ("long", NEAR_BUDGET, EARLY, STREAM, LARGE, LARGE_HALF_SENT)
SPENT_SLACK_S = 0.1  # the server counts its budget from the signal, we from its log line

NOTHING_IN_FLIGHT = Ablation("no work on the victim", without(*REQUESTS))
NO_CONNECTS = Ablation("no connect to the victim", without(CONNECT))
NO_LOAD = Ablation("no load at all", nothing)
NOTHING_NEAR_THE_BUDGET = Ablation("no request near the budget", without(NEAR_BUDGET, EARLY, BEYOND))
NO_STREAM = Ablation("no stream on the victim", without(STREAM))
NOT_DELETED = Ablation("the pod is not deleted")


@dataclass(frozen=True, slots=True)
class Windows:
    """How many pods are deleted under load, and for how long the Service is."""

    rounds: int = 3
    lead_s: float = 5.0  # the Service is under load this long before a deletion, and after the pod is gone
    idle_s: float = 2.0  # without any load, before the last deletion


@dataclass(frozen=True, slots=True)
class Round:
    """One deletion. Times are the run's; `drain_sign_s` is None where the declared sign was not seen."""

    index: int
    victim: str
    victim_ip: str
    deleted_s: float
    prestop_s: float
    sigterm_due_s: float
    drain_sign_s: float | None
    gone_s: float | None
    grace_period_s: float
    loaded: bool
    prestop_known: bool = True  # False: a preStop hook whose length its spec does not tell
    asks: str = ""  # the API that was asked for what takes seconds; "" the default one
    nearer_s: float = 0.0  # how much longer its request near the budget was than the undisturbed one

    @property
    def told_s(self) -> float:
        """When the container was told to stop: the sign it gave, else when SIGTERM was due."""
        return self.sigterm_due_s if self.drain_sign_s is None else self.drain_sign_s


@dataclass(frozen=True, slots=True)
class PodDeletion(Observation):
    """Three rounds under load and one idle deletion."""

    rounds: tuple[Round, ...] = ()
    budget_s: float = 0.0
    propagation_s: float = 0.0
    shorter: ShorterDrain | None = None  # one more deletion, with half of the budget; None where that is not tried

    def loaded(self) -> tuple[Round, ...]:
        """The rounds under load."""
        return tuple(round for round in self.rounds if round.loaded)

    def over_budget(self, round: Round) -> Ledger:
        """What the victim still worked on when the whole drain budget was spent, if requests of seconds are among it.

        They and large ones fit into it undisturbed: what slowed them down was the machine, or the company that they
        had. Shorter ones have that excuse where work went on in the second half of the budget, and requests of seconds
        were still open at its end: a server that does nothing more once it is told to stop has no excuse for them.
        """
        rows = self.ledger.in_group(round.index).to(round.victim).of(*REQUESTS, EARLY, STREAM)
        before = rows.sent_s <= round.told_s
        late = ~rows.right & before & (rows.ended_s >= round.told_s + self.budget_s - SPENT_SLACK_S)
        of_seconds = np.isin(rows.load, [rows.code(load) for load in OF_SECONDS])
        went_on = rows.right & before & (rows.ended_s >= round.told_s + self.budget_s / 2)
        excused = of_seconds | bool(went_on.any() and (late & of_seconds).any())
        # Without a promise there is no budget to spend.
        return rows.select(late & excused & (self.budget_s > 0))

    def only_further_over_budget(self, round: Round) -> bool:
        """Whether what was left then is only what came nearer to the budget than the first round's, or was older."""
        rows = self.over_budget(round)
        further = rows.of(*(FURTHER_OF_SECONDS if round.nearer_s > 0 else FURTHER_OF_SECONDS[:1]))
        return 0 < len(rows) == len(further)

    def exits(self, round: Round) -> tuple[Termination, ...]:
        """How the victim's regular containers ended; () unless the final state of every one was seen."""
        changes = self.timeline.changes
        names = {
            status["name"]
            for change in of_pod(changes, round.victim)
            for status in change.object.get("status", {}).get("containerStatuses", ())
        }
        ends = terminations(changes, round.victim)
        until_s = namesake_at_s(changes, round.victim, round.deleted_s)
        ended = tuple(end for end in ends if round.deleted_s < end.seen_s < until_s)
        return ended if {end.container for end in ended} == names else ()

    def exit_s(self, end: Termination) -> float:
        """When a container ended, up to a second early (`seatrial.watch.pods.ended_s`)."""
        return ended_s(end, self.wall_origin_s)


@trial("pod-deletion", order=30, lasts_s=70)
def pod_deletion(context: TrialContext, *, windows: Windows = Windows()) -> PodDeletion:
    """Install two replicas with the promised drain, if one is, then take pods away."""
    drain = context.contract.drain
    with Sandbox(context, "drain") as sandbox:
        values = context.values(*((placed(governed(drain)), drain.values) if drain else ()))
        sandbox.release.install(values, replicas=REPLICAS)
        sandbox.workload().wait_pods(REPLICAS, context.contract.ready_within_s)
        sandbox.traffic.measure_lone(
            sandbox.workload().target(sandbox.workload().pods()[0]), workload.cases(context.contract)
        )
        budget_s = float(drain.budget_s) if drain else 0.0
        streams = bool(context.contract.streaming_api)
        fits = fitting(sandbox, budget_s)
        slots, lone_s = slots_of(context, values), sandbox.traffic.lone_s
        mix = Mix.fitting(slots, REPLICAS, lone_s, streams=streams, large=fits.large)
        loaded = _loaded_rounds(sandbox, windows, replace(mix, further=fits.further), budget_s)
        shorter, fresh = _with_half_the_budget(sandbox, values)
        idle_s = 0.0 if fresh else windows.idle_s  # it had no load since it was there
        idle, _ = _round(sandbox, idle_s, None, budget_s, windows.rounds, (fresh or unused(sandbox),))
        common = sandbox.seen()
    sign = drain.sign_log if drain else ""
    told = (sign, common["timeline"], common["logs"])
    propagation_s = drain.propagation_s if drain else PROPAGATION_S
    return PodDeletion(
        **common,
        rounds=tuple(replace(one, drain_sign_s=sign_s(one.victim, one.deleted_s, *told)) for one in (*loaded, idle)),
        budget_s=budget_s,
        propagation_s=propagation_s,
        shorter=replace(shorter, drain_sign_s=sign_s(shorter.pod, shorter.deleted_s, *told)) if shorter else None,
    )


def _prestop_s(sandbox: Sandbox, pod: Pod) -> float | None:
    return prestop_sleep_s(pod.spec, sandbox.context.contract.subject.container)


def _with_half_the_budget(sandbox: Sandbox, values: Mapping[str, Any]) -> tuple[ShorterDrain | None, Pod | None]:
    """A deletion with half of the budget, which goes on; and a pod that never had a request, where it left one."""
    contract, pods = sandbox.context.contract, ready(sandbox)
    prestop_s = _prestop_s(sandbox, pods[0]) or 0.0
    left_s = float(pods[0].spec["terminationGracePeriodSeconds"]) - prestop_s
    shorter = planned(contract.drain, contract.api().long, left_s)
    if shorter is None or sandbox.workload().identity.selector or sandbox.context.withholds(NOT_DELETED):
        return None, None
    shorter, pods = changed_to(sandbox, shorter, values, REPLICAS)
    if not pods:
        return shorter, None
    return begin(sandbox, shorter, pods[-1], prestop_s), pods[0] if shorter.replaced else None


def _loaded_rounds(sandbox: Sandbox, windows: Windows, mix: Mix, budget_s: float) -> list[Round]:
    """The first shows how near to the budget the requests of the next ones may come."""
    found: list[Round] = []
    nearly = NEARLY
    for index in range(windows.rounds):
        given = mix.of_round(index, nearly)
        round, rows = _round(sandbox, windows.lead_s, given, budget_s, index, ready(sandbox))
        if index == 0:
            nearly = nearly_after(rows, round.sigterm_due_s, budget_s)
        found.append(round)
    return found


def _round(
    sandbox: Sandbox, lead_s: float, mix: Mix | None, budget_s: float, index: int, pods: Sequence[Pod]
) -> tuple[Round, Ledger]:
    """Delete the first of these pods, with this to do or, without a mix, with nothing; what has ended of it by then."""
    victim = pods[0]
    grace_s = float(victim.spec["terminationGracePeriodSeconds"])
    sleep_s = _prestop_s(sandbox, victim)
    prestop_s = sleep_s or 0.0
    start_s = sandbox.now() + 0.3
    delete_s = start_s + lead_s
    sigterm_s = delete_s + prestop_s + 0.1  # the kubelet takes about 0.1 s to act on the deletion
    at = Moments(start_s, delete_s, sigterm_s, grace_s)
    if mix:
        seed = sandbox.context.random(f"drain-{index}").randrange(2**31)
        victim_at, other = (sandbox.workload().target(pod) for pod in (victim, pods[-1]))
        targets = Targets(victim_at, other, sandbox.workload().service())
        run = sandbox.traffic.start(*loads(sandbox.context.contract, mix, targets, at, budget_s, index, seed))
    else:
        run = sandbox.traffic.start(connects(sandbox.workload().target(victim), at))
    sandbox.sleep_until(delete_s)
    deleted_s = delete_s if sandbox.context.withholds(NOT_DELETED) else sandbox.workload().delete(victim)
    gone_s = sandbox.workload().wait_gone(victim, grace_s + GONE_WITHIN_S)
    if mix:
        sandbox.sleep_until((gone_s or sandbox.now()) + lead_s)
    run.stop()
    if events(sandbox.watch.changes(), sandbox.subject, "FailedPreStopHook", pod=victim.name):
        prestop_s = 0.0  # a hook that cannot run holds up nothing
    rows, _ = run.fresh()
    gone = Round(
        index=index,
        victim=victim.name,
        victim_ip=victim.ip,
        deleted_s=deleted_s,
        prestop_s=prestop_s,
        sigterm_due_s=deleted_s + prestop_s,
        drain_sign_s=None,
        gone_s=gone_s,
        grace_period_s=grace_s,
        loaded=mix is not None,
        prestop_known=sleep_s is not None,
        asks=mix.asks if mix else "",
        nearer_s=(mix.nearly - NEARLY) * budget_s if mix else 0.0,
    )
    return gone, rows


def sign_s(pod: str, deleted_s: float, sign: str, timeline: Timeline, logs: tuple[Log, ...]) -> float | None:
    """When a deleted pod's log said that it was told to stop; None where it did not, or without a sign to look for."""
    until_s = namesake_at_s(timeline.changes, pod, deleted_s)
    for log in logs:
        if log.pod == pod and sign:
            for at_s, line in log.lines:
                if sign in line and deleted_s - 0.5 <= at_s < until_s:
                    return at_s
    return None
