"""Two releases side by side, one without the model's weights, one with half of them; then both get them.

Each has a namespace of its own and one replica. Its pod is asked for readiness and for inference at its own address
for three times as long as a healthy install took, or a minute. Source: contract `weights`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from seatrial.contract import Weights
from seatrial.observation import Change, Observation, Workload
from seatrial.traffic.plan import Load, OpenLoop, Poll
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation
from seatrial.trials.context import TrialContext
from seatrial.trials.install import Install
from seatrial.trials.sandbox import Sandbox
from seatrial.trials.starts import pod_of
from seatrial.trials.together import together
from seatrial.trials.trial import trial
from seatrial.watch.ownership import own_changes, pods_of
from seatrial.watch.pods import is_ready

Kind = Literal["missing", "truncated"]
KINDS: tuple[Kind, ...] = ("missing", "truncated")
REPAIR, LAST_REPAIR = 2.0, 4.0  # times the healthy install: promised, and watched
POLL_PERIOD_S, CASE_PERIOD_S = 0.25, 1.0
POLLED, ASKED, REPAIRED = "broken-poll", "broken-cases", "repaired-cases"

WEIGHTS_INTACT = Ablation("the weights are there all along")


@dataclass(frozen=True, slots=True)
class Windows:
    """For how long broken releases are asked, and mended ones waited for."""

    least_s: float = 60.0
    installs: float = 3.0  # times the healthy install
    # Helm asks every 2 s, an image or a volume may have to be found again, and the repair runs beside trials under
    # load: none of that shrinks with an install of a few seconds.
    least_install_s: float = 15.0
    repaired_cases: int = 16


@dataclass(frozen=True, slots=True)
class Side:
    """One release; `index` is the group of its rows. Times are None for what did not happen."""

    kind: Kind
    index: int
    namespace: str
    pod: str  # "" where no container started
    spec: Mapping[str, Any]  # of that pod
    started_s: float | None  # a container, or an init container, ran for the first time
    watched_until_s: float
    repaired_s: float
    ready_s: float | None  # after the repair


@dataclass(frozen=True, slots=True)
class BrokenWeights(Observation):
    """Both releases in one ledger and one timeline; `within` tells their changes apart."""

    sides: tuple[Side, ...] = ()
    install_s: float = 0.0  # what a healthy install took on this cluster
    window_s: float = 0.0
    repair_within_s: float = 0.0

    def within(self, side: Side) -> tuple[Change, ...]:
        """The changes in one release's namespace that are about the subject."""
        return tuple(
            change for change in own_changes(self) if change.object["metadata"].get("namespace") == side.namespace
        )


@trial("weights", promise=Weights, timed=False, order=20, lasts_s=70)
def weights(context: TrialContext, install: Install, *, windows: Windows = Windows()) -> BrokenWeights:
    """Both sides at once."""
    base_s = max(install.took_s, windows.least_install_s)
    window_s = max(windows.installs * install.took_s, windows.least_s)
    with ThreadPoolExecutor(len(KINDS), thread_name_prefix="weights") as pool:
        pairs = list(
            pool.map(lambda kind: _side(context, kind, window_s, LAST_REPAIR * base_s, windows.repaired_cases), KINDS)
        )
    return BrokenWeights(
        **together("weights", [seen for seen, _ in pairs]),
        sides=tuple(side for _, side in pairs),
        install_s=install.took_s,
        window_s=window_s,
        repair_within_s=REPAIR * base_s,
    )


def _side(
    context: TrialContext, kind: Kind, window_s: float, repair_s: float, repaired_cases: int
) -> tuple[dict[str, Any], Side]:
    promise = context.contract.weights
    assert promise is not None
    index = KINDS.index(kind)
    with Sandbox(context, kind) as sandbox:
        _ = sandbox.traffic.generator  # made before the first container starts
        taken = {} if context.withholds(WEIGHTS_INTACT) else getattr(promise, kind)
        sandbox.release.install(context.values(taken), replicas=1, wait=False)
        begun = sandbox.watch.wait(
            lambda changes: started(changes, sandbox.subject) is not None, context.contract.ready_within_s
        )
        first = started(sandbox.watch.changes(), sandbox.subject)
        if begun and first is not None:
            sandbox.traffic.start_now(*_asked(sandbox, first, index, window_s))
            sandbox.sleep_until(first.at_s + window_s)
        watched_until_s = sandbox.now()
        repaired_s = sandbox.watch.mark("repaired")
        sandbox.release.upgrade(context.values(promise.repaired), replicas=1, wait=False)
        sandbox.watch.wait(lambda changes: ready_after(changes, sandbox.subject, repaired_s) is not None, repair_s)
        healthy = ready_after(sandbox.watch.changes(), sandbox.subject, repaired_s)
        if healthy:
            cases = workload.cases(context.contract)
            arrivals_s = [0.1 * n for n in range(repaired_cases)]
            picks, groups = workload.in_turn(repaired_cases, len(cases)), [index] * repaired_cases
            target = sandbox.workload().target(pod_of(healthy))
            sandbox.traffic.collect(
                sandbox.traffic.start_now(OpenLoop(REPAIRED, target, cases, arrivals_s, picks, groups))
            )
        side = Side(
            kind,
            index,
            sandbox.namespace,
            first.name if first else "",
            first.object["spec"] if first else {},
            first.at_s if first else None,
            watched_until_s,
            repaired_s,
            healthy.at_s if healthy else None,
        )
        return sandbox.seen(), side


def _asked(sandbox: Sandbox, first: Change, index: int, window_s: float) -> list[Load]:
    """Readiness as the kubelet asks for it, where that is over HTTP and decides alone, and cases."""
    contract, pod = sandbox.context.contract, pod_of(first)
    cases = workload.cases(contract)
    arrivals_s = workload.steps(0.1, window_s, CASE_PERIOD_S)
    picks, groups = workload.in_turn(len(arrivals_s), len(cases)), [index] * len(arrivals_s)
    loads: list[Load] = [
        OpenLoop(ASKED, sandbox.workload().target(pod), cases, arrivals_s, picks, groups, timeout_s=5.0, keep="all")
    ]
    if probe := workload.deciding_readiness(pod.spec, contract.subject.container):
        ask = (probe.exchange("readiness", sandbox.context.probe_agent),)
        loads.append(Poll(POLLED, probe.target(pod), ask, 0.0, window_s, POLL_PERIOD_S, probe.timeout_s, group=index))
    return loads


def started(changes: Sequence[Change], workload: Workload) -> Change | None:
    """The first sight of a pod of the workload with an address, one of whose containers runs or has run."""
    for change in _present(changes, workload):
        status = change.object.get("status", {})
        containers = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
        if status.get("podIP") and any(
            state.get("running") or state.get("terminated")
            for container in containers
            for state in (container.get("state", {}), container.get("lastState", {}))
        ):
            return change
    return None


def ready_after(changes: Sequence[Change], workload: Workload, at_s: float) -> Change | None:
    """The first sight after at_s of a pod of the workload that is Ready and was not before."""
    ready = [change for change in _present(changes, workload) if is_ready(change.object)]
    before = {change.name for change in ready if change.at_s < at_s}
    return next((change for change in ready if change.at_s >= at_s and change.name not in before), None)


def _present(changes: Sequence[Change], workload: Workload) -> list[Change]:
    own = pods_of(changes, workload)
    return [change for change in changes if change.kind == "Pod" and change.type != "DELETED" and change.name in own]
