"""What a pod that is about to be deleted is given to do, timed to the moment at which SIGTERM is due.

Where a concurrency limit is in force, there is as much as fits: work that the limit refuses is not in flight, and the
request that puts the drain budget to the test has to be accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seatrial.contract import Contract
from seatrial.traffic.arrivals import poisson
from seatrial.traffic.plan import Connects, Load, OpenLoop, PodTarget, Target
from seatrial.trials import workload

SERVICE_RPS = 10.0
LIGHT = 0.3  # of what both replicas carry
CONNECT, NEAR_BUDGET, STREAM = "connect", "nearly", "stream"
LARGE, LARGE_HALF_SENT = "large", "large-half-sent"
STREAMS_BEGIN_S = (0.8, 0.65, 0.5, 0.35)  # before SIGTERM is due
NEARLY = 0.78  # of the drain budget: the work that the longest request still has when SIGTERM comes
LARGE_IN = 8  # slots: with fewer there is no place for large ones
PLENTY = 24  # slots, with which nothing of the mix meets the limit while it waits for SIGTERM


@dataclass(frozen=True, slots=True)
class Mix:
    """How much of each load the victim gets in a round, and how long before SIGTERM."""

    longs: int = 8
    kept: int = 4
    half_sent: int = 2
    streams: int = len(STREAMS_BEGIN_S)
    nearly_before_s: tuple[float, ...] = (0.15,)
    shorts_before_s: float = 0.3
    # After the request near the budget: what large ones take must not hold it up.
    large_before_s: tuple[float, ...] = (0.14, 0.1)
    large_half_sent_before_s: tuple[float, ...] = (0.12,)
    service_rps: float = SERVICE_RPS

    @staticmethod
    def fitting(slots: int | None, replicas: int, lone_s: float, *, streams: bool, large: bool) -> Mix:
        """What a replica of so many slots can take, with one of them left for the request near the budget.

        That one is sent before the large and the short ones, which then fill what is left. With one or two slots it is
        sent three times: a request of the Service's may be there already.
        """
        if slots is None or slots >= PLENTY:
            return Mix() if large else Mix(large_before_s=(), large_half_sent_before_s=())
        kept = min(4, slots // 4)
        large = large and slots >= LARGE_IN
        held = 3 + kept + 2 * large
        streamed = min(len(STREAMS_BEGIN_S), max(0, slots - held)) if streams else 0
        nearly_before_s = (0.3,) if slots >= 3 else (0.5, 0.4, 0.3)
        return Mix(
            longs=min(8, max(0, slots - held - streamed)),
            kept=kept,
            half_sent=2 if slots >= 3 else 0,
            streams=streamed,
            nearly_before_s=nearly_before_s,
            shorts_before_s=min(nearly_before_s) - 0.05,
            large_before_s=(0.28,) if large else (),
            large_half_sent_before_s=(0.27,) if large else (),
            service_rps=min(SERVICE_RPS, LIGHT * slots * replicas / max(lone_s, 0.001)),
        )


@dataclass(frozen=True, slots=True)
class Moments:
    """When one round begins, when its pod is deleted, when SIGTERM is due, and what its grace period is."""

    start_s: float
    delete_s: float
    sigterm_s: float
    grace_s: float

    @property
    def end_s(self) -> float:
        """When everything has stopped, whatever the pod does."""
        return self.sigterm_s + self.grace_s + 10


def loads(
    contract: Contract,
    mix: Mix,
    target: PodTarget,
    service: Target,
    at: Moments,
    budget_s: float,
    index: int,
    seed: int,
) -> list[Load]:
    """All loads of round `index`: those at the victim's own address, and light load through the Service."""
    cases = workload.cases(contract)
    sigterm_s, end_s, patience_s = at.sigterm_s, at.end_s, at.grace_s + 5

    def shorts(name: str, arrivals_s: Sequence[float], **how: object) -> OpenLoop:
        picks, groups = workload.in_turn(len(arrivals_s), len(cases)), [index] * len(arrivals_s)
        return OpenLoop(name, target, cases, arrivals_s, picks, groups, timeout_s=patience_s, **how)  # type: ignore[arg-type]

    arrivals = poisson(mix.service_rps, at.start_s, end_s, seed).tolist()
    found: list[Load] = [
        shorts("short", list(workload.steps(sigterm_s - mix.shorts_before_s, sigterm_s + 0.5, 1 / 50))),
        *(
            shorts(f"kept-{n}", list(workload.steps(sigterm_s - 2.0 + n * 0.05, end_s, 0.2)), connection="keep-alive")
            for n in range(mix.kept)
        ),
        # From the deletion on, however long preStop is said to take: a hook that fails shows here.
        Connects(CONNECT, target, workload.steps(at.delete_s - 1.0, end_s, 0.02), hold_s=0.01),
        OpenLoop(
            "service",
            service,
            cases,
            arrivals,
            workload.drawn(len(arrivals), len(cases), seed),
            [index] * len(arrivals),
        ),
    ]
    if mix.half_sent:
        found.append(shorts("half-sent", [sigterm_s - 0.2, sigterm_s - 0.12][: mix.half_sent], body_pause_s=1.0))
    if (stream := workload.long_stream(contract.streaming_api)) and mix.streams:
        begin_s = [sigterm_s - before_s for before_s in STREAMS_BEGIN_S[-mix.streams :]]
        groups = [index] * len(begin_s)
        found.append(OpenLoop(STREAM, target, (stream,), begin_s, (), groups, timeout_s=patience_s, keep="all"))
    if large := workload.large_case(contract):
        for name, before_s, pause_s in (
            (LARGE, mix.large_before_s, None),
            (LARGE_HALF_SENT, mix.large_half_sent_before_s, 1.0),
        ):
            if sent_s := [sigterm_s - each_s for each_s in before_s]:
                groups = [index] * len(sent_s)
                found.append(
                    OpenLoop(name, target, (large,), sent_s, (), groups, timeout_s=patience_s, body_pause_s=pause_s)
                )
    long = contract.api().long
    if long and mix.longs:
        spread = [sigterm_s - 0.2 - n * long.seconds / mix.longs for n in range(mix.longs)]
        longs = (workload.long_case(contract, long.seconds),)
        found.append(OpenLoop("long", target, longs, sorted(spread), (), [index] * mix.longs))
    if long and budget_s:
        nearly = (workload.long_case(contract, NEARLY * budget_s),)
        sent_s = [sigterm_s - before_s for before_s in mix.nearly_before_s]
        found.append(OpenLoop(NEAR_BUDGET, target, nearly, sent_s, (), [index] * len(sent_s)))
    return found
