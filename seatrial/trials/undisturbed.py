"""What the requests that are to survive a drain take with nobody disturbing them.

What is not answered rightly then, or not well within the drain budget, is not sent to a pod that has to stop: its loss
would say nothing about the drain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seatrial.traffic.fleet import FleetRun
from seatrial.traffic.plan import Lone, OpenLoop, PodTarget
from seatrial.trials import workload
from seatrial.trials.drain_loads import FURTHER_CASES, further_cases
from seatrial.trials.drain_mix import NEARLY, Further
from seatrial.trials.sandbox import Sandbox

UNDISTURBED = "undisturbed"
UNDISTURBED_STREAM = "undisturbed-stream"
UNDISTURBED_LARGE = "undisturbed-large"
FURTHER_LONE = "further-lone"
LARGE_SHARE = 0.5  # of the drain budget: what takes longer undisturbed is not sent to a pod that has to stop
FURTHER_SHARE = 0.2  # of it, of a further API's cases
MOST_NEARLY = 0.95  # of it, for a request that is to need NEARLY
FURTHER_MOST, FURTHER_LEAST = 8, 2  # cases of all further APIs in a round, and of one


@dataclass(frozen=True, slots=True)
class Fitting:
    """What fits into the drain: whether the large case does, and which further APIs."""

    large: bool = False
    further: tuple[Further, ...] = ()


def undisturbed_as(api: str) -> str:
    """The load of an API's request near the budget; "" is the default API."""
    return f"{UNDISTURBED}/{api}" if api else UNDISTURBED


def fitting(sandbox: Sandbox, budget_s: float) -> Fitting:
    """Ask for each kind by itself. Raises CasesNotAnswered where streams are not answered at all."""
    pods = sandbox.workload().pods()
    pod, other = sandbox.workload().target(pods[0]), sandbox.workload().target(pods[-1])
    lone = _further_begun(sandbox, other, FURTHER_SHARE * budget_s) if budget_s else {}
    large = _large_fits(sandbox, pod, budget_s)
    taken_s = {name: _longest_s(sandbox, run) for name, run in lone.items()}
    fits = {name: took_s for name, took_s in taken_s.items() if took_s}
    _stream(sandbox, pod)
    takes_long = _near_the_budget(sandbox, pod, other, fits, budget_s)
    return Fitting(
        large,
        tuple(
            Further(name, _count(took_s, sandbox.traffic.lone_s, len(fits)), name in takes_long)
            for name, took_s in fits.items()
        ),
    )


def _count(took_s: float, lone_s: float, apis: int) -> int:
    """So many cases of a further API, of so many, that they cost no more than as many of the default one."""
    return max(FURTHER_LEAST, min(FURTHER_MOST, int(FURTHER_MOST * lone_s / took_s)) // apis)


def _further_begun(sandbox: Sandbox, target: PodTarget, within_s: float) -> dict[str, FleetRun]:
    """One case after the other of each API beside the default one, given up after so long.

    Streams have loads of their own.
    """
    contract = sandbox.context.contract
    names = [name for name, api in contract.apis.items() if api is not contract.api() and not api.streaming]
    return {
        name: sandbox.traffic.start_now(
            Lone(FURTHER_LONE, target, further_cases(contract, name), 0.01, FURTHER_CASES, 0.05, timeout_s=within_s)
        )
        for name in names
    }


def _longest_s(sandbox: Sandbox, run: FleetRun) -> float | None:
    """How long the slowest of a run took; None where one of them is not right, or was given up."""
    rows = sandbox.traffic.collect(run)
    return float((rows.ended_s - rows.sent_s).max()) if len(rows) and rows.right.all() else None


def _large_fits(sandbox: Sandbox, target: PodTarget, budget_s: float) -> bool:
    """Whether the large case is answered rightly, and well within the budget."""
    large = workload.large_case(sandbox.context.contract)
    if large is None or not budget_s:
        return False
    rows = sandbox.traffic.collect(sandbox.traffic.start_now(OpenLoop(UNDISTURBED_LARGE, target, (large,), (0.01,))))
    return bool((rows.right & (rows.latency_s <= LARGE_SHARE * budget_s)).all())


def _stream(sandbox: Sandbox, target: PodTarget) -> None:
    """One stream as long as those that must survive a drain."""
    streamed = sandbox.context.contract.streaming_api
    if streamed and (stream := workload.long_stream(streamed)):
        alone = OpenLoop(UNDISTURBED_STREAM, target, (stream,), (0.01,), keep="all")
        rows = sandbox.traffic.collect(sandbox.traffic.start_now(alone))
        sandbox.traffic.expect_answers(target, (stream,), rows, streamed.place)


def _near_the_budget(
    sandbox: Sandbox, pod: PodTarget, other: PodTarget, further: Iterable[str], budget_s: float
) -> set[str]:
    """The default API's request near the budget at one pod, and those of others at another, with one as long as usual.

    Returned are the further APIs of which both are right, and well within the budget.
    """
    contract, traffic = sandbox.context.contract, sandbox.traffic
    nearly_s, most_s = NEARLY * budget_s, MOST_NEARLY * budget_s
    begun = []
    if contract.api().long and budget_s:
        nearly = workload.long_case(contract, nearly_s)
        begun.append(traffic.start_now(OpenLoop(UNDISTURBED, pod, (nearly,), (0.01,))))
    asked = {
        name: [
            traffic.start_now(
                OpenLoop(load, other, (workload.long_case(contract, seconds, name),), (0.01,), timeout_s=most_s)
            )
            for load, seconds in ((undisturbed_as(name), nearly_s), (FURTHER_LONE, long.seconds))
        ]
        for name in further
        if (long := contract.api(name).long)
    }
    for run in begun:
        traffic.collect(run)
    taken_s = {name: [_longest_s(sandbox, run) for run in runs] for name, runs in asked.items()}
    return {name for name, each in taken_s.items() if all(each)}
