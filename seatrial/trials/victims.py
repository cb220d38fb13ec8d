"""The pods that a trial of deletions takes away: of two replicas under load, and one that never had a request."""

from __future__ import annotations

from seatrial.observation import Pod
from seatrial.trials.sandbox import Sandbox

REPLICAS = 2
GONE_WITHIN_S = 15.0  # after the grace period


def ready(sandbox: Sandbox) -> tuple[Pod, ...]:
    """Both replicas, once they are Ready."""
    return sandbox.workload().wait_pods(REPLICAS, sandbox.context.contract.ready_within_s)


def unused(sandbox: Sandbox) -> Pod:
    """A pod that never had a request: what its first request would have installed is not there.

    It is one more replica; of pods that are made at run time, which nothing here can scale, it takes another's place.
    """
    deployed, before = sandbox.workload(), sandbox.workload().pods()
    count = REPLICAS
    if deployed.identity.selector:
        deployed.delete(before[0])
        deployed.wait_gone(before[0], before[0].spec["terminationGracePeriodSeconds"] + GONE_WITHIN_S)
    else:
        count += 1
        deployed.scale(count)
    pods = deployed.wait_pods(count, sandbox.context.contract.ready_within_s)
    known = {pod.uid for pod in before}
    return next(pod for pod in pods if pod.uid not in known)
