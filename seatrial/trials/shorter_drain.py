"""A drain with half of the budget: whether the Helm value that governs the budget has an effect.

A pod gets a request that takes longer than the shorter budget and less than the promised one, and is deleted. Where
the value has an effect the request is given up; where it is answered all the same, the pod took the time that it had
before.
Source: contract `drain.budget_s`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from seatrial.contract import Drain, Governed, LongCase, merged, placed
from seatrial.errors import ClusterError
from seatrial.observation import Pod
from seatrial.traffic.plan import OpenLoop
from seatrial.trials import workload
from seatrial.trials.changed_setting import changed
from seatrial.trials.sandbox import Sandbox

BEYOND = "beyond"
SENT_BEFORE_S = 0.15  # SIGTERM is due
OVER_S, MOST_OF_PROMISED = 2.5, 0.92  # of work beyond the shorter budget, and of the promised one at most
DECISIVE = 0.8  # of the way from the shorter budget to the end of the work: an answer after that is beyond the budget
LEAST_BUDGET_S = 2.0  # of which a half can be told from none
KILL_MARGIN_S = 1.0


@dataclass(frozen=True, slots=True)
class ShorterDrain:
    """One deletion with a shorter budget. Times are the run's; `drain_sign_s` as in a round."""

    budget_s: float
    work_s: float  # that the request had still to do when SIGTERM was due
    refused: str = ""  # why the release could not be changed; then nothing was deleted
    replaced: bool = True  # the pods from before the change; False: it may not have reached them
    pod: str = ""
    deleted_s: float = 0.0
    sigterm_due_s: float = 0.0
    drain_sign_s: float | None = None

    @property
    def told_s(self) -> float:
        """When the container was told to stop: the sign it gave, else when SIGTERM was due."""
        return self.sigterm_due_s if self.drain_sign_s is None else self.drain_sign_s

    @property
    def decisive_s(self) -> float:
        """An answer after this took longer than the shorter budget allows."""
        return self.told_s + self.budget_s + DECISIVE * (self.work_s - self.budget_s)


def planned(drain: Drain | None, long: LongCase | None, time_s: float) -> ShorterDrain | None:
    """What can be tried in a pod that is killed `time_s` after SIGTERM; None where nothing can.

    That is where no value governs the budget, no request takes as long as it is asked to, the budget is too short, or
    the pod would be killed before the request's end.
    """
    if drain is None or long is None or not isinstance(drain.budget_s, Governed):
        return None
    promised_s = float(drain.budget_s)
    half_s = float(_half(drain.budget_s).set)
    work_s = min(half_s + OVER_S, MOST_OF_PROMISED * promised_s)
    if promised_s < LEAST_BUDGET_S or work_s > time_s - KILL_MARGIN_S:
        return None
    return ShorterDrain(half_s, work_s)


def _half(budget: Governed) -> Governed:
    """Half of it, whole where the promised one is."""
    promised_s = float(budget)
    return Governed(value=budget.value, set=int(promised_s) // 2 if promised_s == int(promised_s) else promised_s / 2)


def changed_to(
    sandbox: Sandbox, shorter: ShorterDrain, values: Mapping[str, Any], replicas: int
) -> tuple[ShorterDrain, tuple[Pod, ...]]:
    """Give the release the shorter budget, beside its values; the pods then, none where that was refused."""
    drain = sandbox.context.contract.drain
    assert drain is not None
    assert isinstance(drain.budget_s, Governed)
    before = sandbox.workload().pods()
    try:
        after = changed(sandbox, merged(values, placed(iter([_half(drain.budget_s)]))), before, replicas)
    except ClusterError as refused:
        return replace(shorter, refused=str(refused)), ()
    return replace(shorter, replaced=after.replaced), after.pods


def begin(sandbox: Sandbox, shorter: ShorterDrain, pod: Pod, prestop_s: float) -> ShorterDrain:
    """Send the request, and delete its pod when it is due; what comes of both is seen while the trial goes on."""
    delete_s = sandbox.now() + 0.3
    sigterm_s = delete_s + prestop_s + 0.1
    case = workload.long_case(sandbox.context.contract, shorter.work_s + SENT_BEFORE_S)
    sandbox.traffic.start(
        OpenLoop(BEYOND, sandbox.workload().target(pod), (case,), (sigterm_s - SENT_BEFORE_S,), keep="all")
    )
    sandbox.sleep_until(delete_s)
    deleted_s = sandbox.workload().delete(pod)
    return replace(shorter, pod=pod.name, deleted_s=deleted_s, sigterm_due_s=deleted_s + prestop_s)
