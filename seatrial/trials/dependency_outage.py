"""Take one dependency after the other away from a release under light load, and give it back.

First it stalls (connections are accepted, nothing is answered), then it refuses connections; each for one and a half
times as long as the live pods' liveness probes take to restart a container, at least 20 s. Then it is restored, and
the release gets 30 s to recover. Meanwhile liveness is asked every second as the kubelet asks, at each pod's own
address, and cases go through the Service.
Source: Kubernetes, "Liveness, Readiness, and Startup Probes"; contract `dependencies`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seatrial.contract import Dependencies
from seatrial.ledger import Ledger
from seatrial.observation import STOOD_STILL_S, Observation, Pod
from seatrial.traffic.arrivals import constant
from seatrial.traffic.fleet import FleetRun
from seatrial.traffic.plan import Load, OpenLoop
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation
from seatrial.trials.context import TrialContext
from seatrial.trials.overload import LIGHT, UNDECLARED_CONCURRENCY
from seatrial.trials.sandbox import LONE, Sandbox
from seatrial.trials.trial import trial

Kind = Literal["stall", "refuse"]

REPLICAS = 2
LIVENESS, SERVICE = "liveness", "service"
WINDOW_FACTOR = 1.5  # times what liveness takes to restart a container
LIVENESS_PERIOD_S = 1.0
RECOVERED_WITHIN_S = 30.0
LEAST_RPS, MOST_RPS = 0.5, 10.0  # of cases, for each replica
CASE_TIMEOUT_S = 10.0

LEFT_ALONE = Ablation("the dependency is left alone")


@dataclass(frozen=True, slots=True)
class Windows:
    """How long an outage lasts at least, and how long the release is watched before and after."""

    least_s: float = 20.0
    recovered_within_s: float = RECOVERED_WITHIN_S
    lead_s: float = 5.0  # before the first outage, and of looking on after a recovery would have been late


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage of one dependency.

    `served_before` is what it had been asked for until then: requests, or connections where it does not speak HTTP.
    `denied` are the connections that were opened meanwhile and got no answer: of those that are refused, nobody but the
    release knows.
    """

    dependency: str
    kind: Kind
    start_s: float
    end_s: float
    served_before: int
    denied: int


@dataclass(frozen=True, slots=True)
class Restoration:
    """A dependency is back; the release was looked at until `until_s`."""

    dependency: str
    at_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class DependencyOutage(Observation):
    """Loads `service` and `liveness`, outages and restorations."""

    outages: tuple[Outage, ...] = ()
    restorations: tuple[Restoration, ...] = ()
    wanted_s: float = 0.0  # how long an outage has to last, by the live pods' probes

    @property
    def since_s(self) -> float:
        """When the first outage began; infinity without one."""
        return min((outage.start_s for outage in self.outages), default=float("inf"))

    def cases_before(self) -> Ledger:
        """The cases of light load and lone requests that were due before any outage, and can be told of."""
        return self.told_of(self.ledger.of(SERVICE, LONE).between(self.started_s, self.since_s))

    def told_of(self, cases: Ledger) -> Ledger:
        """Without those that got no answer when the beacon got none, or were wrong as the machine stood still."""
        return cases.select(cases.right | ~(self.environmental(cases) | self.held_up(cases, STOOD_STILL_S)))

    def when(self, at_s: float) -> str:
        """In which outage, or after which, a moment lies, as the end of a sentence; "" before any."""
        begun = [outage for outage in self.outages if outage.start_s <= at_s]
        if not begun:
            return ""
        when = "during" if at_s <= begun[-1].end_s else "after"
        return f", {when} the {begun[-1].kind} of {begun[-1].dependency}"


@trial("dependency-outage", order=40, lasts_s=110)
def dependency_outage(
    context: TrialContext, dependencies: Dependencies, *, windows: Windows = Windows()
) -> DependencyOutage:
    """Two replicas, and every dependency that is brought for them taken away in turn."""
    with Sandbox(context, "outage") as sandbox:
        sandbox.release.install(context.values(), replicas=REPLICAS)
        pods = sandbox.workload().wait_pods(REPLICAS, context.contract.ready_within_s)
        sandbox.traffic.measure_lone(sandbox.workload().target(pods[0]), workload.cases(context.contract))
        wanted_s = _wanted_s(context, pods, windows.least_s)
        watched_s = windows.recovered_within_s + windows.lead_s
        outages: list[Outage] = []
        restorations: list[Restoration] = []
        for name in dependencies.brought:
            lasts_s = windows.lead_s + 2 * (wanted_s + SWITCHING_S) + watched_s
            run = _ask(sandbox, pods, lasts_s)
            sandbox.sleep_until(sandbox.now() + windows.lead_s)
            outages += [_outage(sandbox, name, kind, wanted_s) for kind in ("stall", "refuse")]
            sandbox.dependency(name).open()
            restored_s = sandbox.now()
            sandbox.sleep_until(restored_s + watched_s)
            run.stop()
            restorations.append(Restoration(name, restored_s, sandbox.now()))
            sandbox.note(outages=tuple(outages), restorations=tuple(restorations), wanted_s=wanted_s)
        return DependencyOutage(
            **sandbox.seen(), outages=tuple(outages), restorations=tuple(restorations), wanted_s=wanted_s
        )


SWITCHING_S = 5.0  # more than it takes to say something to a gate


def _wanted_s(context: TrialContext, pods: Sequence[Pod], least_s: float) -> float:
    """How long an outage lasts: one and a half times what liveness takes to restart a container, at least least_s."""
    container = context.contract.subject.container
    probes = [probe for pod in pods if (probe := workload.probe(pod.spec, container, "liveness"))]
    return max([least_s, *(WINDOW_FACTOR * (probe.patience_s + probe.period_s) for probe in probes)])


def _ask(sandbox: Sandbox, pods: Sequence[Pod], lasts_s: float) -> FleetRun:
    """Cases through the Service and liveness at each pod, from now on."""
    contract = sandbox.context.contract
    start_s = sandbox.now() + 0.3
    end_s = start_s + lasts_s
    cases = workload.cases(contract)
    arrivals_s = constant(_cases_rps(sandbox), start_s, end_s).tolist()
    picks = workload.in_turn(len(arrivals_s), len(cases))
    service = sandbox.workload().service()
    loads: list[Load] = [OpenLoop(SERVICE, service, cases, arrivals_s, picks, timeout_s=CASE_TIMEOUT_S)]
    for pod in pods:
        if probe := workload.probe(pod.spec, contract.subject.container, "liveness"):
            times_s = workload.steps(start_s, end_s, LIVENESS_PERIOD_S)
            asked = (probe.exchange(LIVENESS, sandbox.context.probe_agent),)
            loads.append(OpenLoop(LIVENESS, probe.target(pod), asked, times_s, timeout_s=probe.timeout_s))
    return sandbox.traffic.start(*loads)


def _cases_rps(sandbox: Sandbox) -> float:
    """Light load on all replicas: 0.3 of what the declared concurrency carries, at most 10/s for each."""
    limit = sandbox.context.contract.limits.concurrency
    at_once = float(limit.limit) if limit else UNDECLARED_CONCURRENCY
    carried_rps = LIGHT * at_once / max(sandbox.traffic.lone_s, 0.001)
    return REPLICAS * min(MOST_RPS, max(LEAST_RPS, carried_rps))


def _outage(sandbox: Sandbox, name: str, kind: Kind, wanted_s: float) -> Outage:
    dependency = sandbox.dependency(name)
    before = dependency.counts()
    if not sandbox.context.withholds(LEFT_ALONE):
        if kind == "stall":
            before = dependency.stall()
        else:
            dependency.refuse()
            before = dependency.cut()
    start_s = sandbox.now()
    sandbox.sleep_until(start_s + wanted_s)
    end_s = sandbox.now()
    after = dependency.counts()
    silent = after.received_bytes == before.received_bytes
    served = before.connections if before.requests is None else before.requests
    return Outage(name, kind, start_s, end_s, served, after.connections - before.connections if silent else 0)
