"""Install the release and watch it come up, then end one container from inside and watch it come back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from seatrial.observation import Observation, Pod
from seatrial.traffic.plan import Exchange, OpenLoop
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation
from seatrial.trials.context import TrialContext
from seatrial.trials.sandbox import Sandbox
from seatrial.trials.starts import CASE_PERIOD_S, CASES, Start, StartPoller
from seatrial.trials.trial import trial
from seatrial.watch.pods import restarts

REPLICAS = 3

READINESS_NOT_ASKED = Ablation("the readiness path is not asked")


@dataclass(frozen=True, slots=True)
class Windows:
    """How often each start is asked."""

    cases: int = CASES  # at the first 2xx of its readiness path, and again when the cluster calls it Ready


@dataclass(frozen=True, slots=True)
class Install(Observation):
    """Three pods installed, and one of their containers restarted."""

    starts: tuple[Start, ...] = ()
    took_s: float = 0.0  # from the install to the last pod Ready
    restarted: str = ""  # the pod whose container was ended; "" where the contract tells no way


@trial("install", order=10, lasts_s=28)
def install(context: TrialContext, *, windows: Windows = Windows()) -> Install:
    """Three replicas from nothing; where the contract says how, one restart."""
    with Sandbox(context, "install") as sandbox:
        poller = StartPoller(sandbox, windows.cases)
        took_s = sandbox.release.install(context.values(), replicas=REPLICAS)
        pods = sandbox.workload().wait_pods(REPLICAS, context.contract.ready_within_s)
        sandbox.sleep_until(sandbox.now() + windows.cases * CASE_PERIOD_S + 0.5)
        poller.leave(pods[0])
        sandbox.traffic.measure_lone(sandbox.workload().target(pods[0]), workload.cases(context.contract))
        for pod in pods:
            probe = workload.probe(pod.spec, context.contract.subject.container, "readiness")
            if probe and not context.withholds(READINESS_NOT_ASKED):
                _ask(sandbox, pod, probe)
        restarted = ""
        if context.contract.restart:
            restarted = pods[0].name
            sandbox.workload().exec(pods[0], context.contract.restart.command)
            sandbox.watch.wait(
                lambda changes: restarts(changes, sandbox.subject).get(restarted, 0) > 0,
                context.contract.ready_within_s,
            )
            sandbox.workload().wait_pods(REPLICAS, context.contract.ready_within_s)
            sandbox.sleep_until(sandbox.now() + windows.cases * CASE_PERIOD_S + 0.5)
        starts = poller.done()
        return Install(**sandbox.seen(pods), starts=starts, took_s=took_s, restarted=restarted)


def _ask(sandbox: Sandbox, pod: Pod, probe: workload.HttpProbe) -> None:
    """The readiness path and one that cannot exist, five times each, on connections of their own."""
    readiness = probe.exchange("readiness", sandbox.context.probe_agent)
    nowhere = Exchange("nowhere", "GET", f"/seatrial-{secrets.token_hex(8)}", readiness.headers)
    for exchange, name in ((readiness, "readiness-path"), (nowhere, "random-path")):
        arrivals_s = [0.05 * n for n in range(5)]
        ask = OpenLoop(name, probe.target(pod), (exchange,), arrivals_s, timeout_s=5.0, keep="all")
        sandbox.traffic.collect(sandbox.traffic.start_now(ask))
