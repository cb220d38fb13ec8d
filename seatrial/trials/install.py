"""Install the release and watch it come up, then end one container from inside and watch it come back."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from seatrial.observation import Pod, Seen
from seatrial.traffic.plan import Exchange, OpenLoop
from seatrial.trials import workload
from seatrial.trials.stage import Stage
from seatrial.trials.starts import CASE_PERIOD_S, CASES, Start, StartPoller
from seatrial.trials.trial import trial
from seatrial.trials.world import World
from seatrial.watch.pods import restarts

REPLICAS = 3


@dataclass(frozen=True, slots=True)
class Install(Seen):
    """Three pods installed, and one of their containers restarted."""

    starts: tuple[Start, ...] = ()
    took_s: float = 0.0  # from the install to the last pod Ready
    restarted: str = ""  # the pod whose container was ended; "" where the contract tells no way


@trial("install", order=10, lasts_s=28)
def install(world: World) -> Install:
    """Three replicas from nothing; where the contract says how, one restart."""
    with Stage(world, "install") as stage:
        poller = StartPoller(stage)
        took_s = stage.install(world.values(), replicas=REPLICAS)
        pods = stage.wait_pods(REPLICAS, world.contract.ready_within_s)
        time.sleep(CASES * CASE_PERIOD_S + 0.5)
        stage.measure_lone(pods[0], workload.cases(world.contract))
        for pod in pods:
            probe = workload.probe(pod.spec, world.contract.container, "readiness")
            if probe and "readiness-asked" not in world.plant.disarmed:
                _ask(stage, pod, probe)
        restarted = ""
        if world.contract.restart and "restart" not in world.plant.disarmed:
            restarted = pods[0].name
            stage.exec(pods[0], world.contract.restart)
            stage.wait_change(lambda changes: restarts(changes).get(restarted, 0) > 0, world.contract.ready_within_s)
            stage.wait_pods(REPLICAS, world.contract.ready_within_s)
            time.sleep(CASES * CASE_PERIOD_S + 0.5)
        starts = poller.done()
        return Install(**stage.seen(pods), starts=starts, took_s=took_s, restarted=restarted)


def _ask(stage: Stage, pod: Pod, probe: workload.HttpProbe) -> None:
    """The readiness path and one that cannot exist, five times each, on connections of their own."""
    readiness = probe.exchange("readiness")
    nowhere = Exchange("nowhere", "GET", f"/seatrial-{secrets.token_hex(8)}", readiness.headers)
    for exchange, stream in ((readiness, "readiness-path"), (nowhere, "random-path")):
        arrivals_s = [0.05 * n for n in range(5)]
        ask = OpenLoop(stream, probe.target(pod), (exchange,), arrivals_s, timeout_s=5.0, keep="all")
        stage.collect(stage.start_now(ask))
