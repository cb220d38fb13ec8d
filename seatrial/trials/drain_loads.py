"""What a pod that is about to be deleted is sent, timed to the moment at which SIGTERM is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seatrial.contract import Contract
from seatrial.traffic.arrivals import poisson
from seatrial.traffic.plan import Connects, Exchange, Load, OpenLoop, PodTarget, Target
from seatrial.trials import workload
from seatrial.trials.drain_mix import (
    CONNECT,
    EARLY,
    EARLY_AT_OTHER,
    FURTHER,
    LARGE,
    LARGE_HALF_SENT,
    NEAR_BUDGET,
    NEARLY,
    STREAM,
    STREAMS_BEGIN_S,
    Mix,
)

SHORTS_RPS, SHORTS_AFTER_S = 50.0, 0.5
FURTHER_BEFORE_S, FURTHER_EVERY_S = 0.2, 0.04
FURTHER_CASES = 4  # of each further API
EARLY_AGE = 0.5  # of the budget: how long before SIGTERM the early one is sent, if the round has begun by then


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


@dataclass(frozen=True, slots=True)
class Targets:
    """Where a round sends to: the victim, a pod that stays, and the Service of both."""

    victim: PodTarget
    other: PodTarget
    service: Target


def connects(victim: PodTarget, at: Moments) -> Connects:
    """From before the deletion on, however long preStop is said to take: a hook that fails shows here."""
    begin_s = max(at.start_s, at.delete_s - 1.0)
    return Connects(CONNECT, victim, workload.steps(begin_s, at.end_s, 0.02), hold_s=0.01)


def loads(
    contract: Contract, mix: Mix, targets: Targets, at: Moments, budget_s: float, index: int, seed: int
) -> list[Load]:
    """All loads of round `index`: those at the victim's own address, and light load through the Service."""
    return [
        *_short(contract, mix, targets, at, index, seed),
        *_further(contract, mix, targets.victim, at, index),
        *_streams_and_large(contract, mix, targets.victim, at, index),
        *_of_seconds(contract, mix, targets, at, budget_s, index),
    ]


def further_cases(contract: Contract, api: str) -> tuple[Exchange, ...]:
    """The cases that a victim is sent of a further API, each with the API's name before its own."""
    return tuple(replace(each, case=f"{api} {each.case}") for each in workload.cases(contract, api)[:FURTHER_CASES])


def _short(contract: Contract, mix: Mix, targets: Targets, at: Moments, index: int, seed: int) -> list[Load]:
    cases, sigterm_s, end_s = workload.cases(contract), at.sigterm_s, at.end_s

    def shorts(name: str, arrivals_s: Sequence[float], **how: object) -> OpenLoop:
        picks, groups = workload.in_turn(len(arrivals_s), len(cases)), [index] * len(arrivals_s)
        return OpenLoop(name, targets.victim, cases, arrivals_s, picks, groups, timeout_s=at.grace_s + 5, **how)  # type: ignore[arg-type]

    begin_s, until_s = sigterm_s - mix.shorts_before_s, sigterm_s + SHORTS_AFTER_S
    # Cases of further APIs take the place of as many short ones: together they ask for no more work.
    count = round((until_s - begin_s) * SHORTS_RPS) - sum(further.count for further in mix.further)
    arrivals = poisson(mix.service_rps, at.start_s, end_s, seed).tolist()
    picks, groups = workload.drawn(len(arrivals), len(cases), seed), [index] * len(arrivals)
    half_sent = [shorts("half-sent", [sigterm_s - 0.2, sigterm_s - 0.12][: mix.half_sent], body_pause_s=1.0)]
    return [
        shorts("short", [begin_s + n * (until_s - begin_s) / count for n in range(count)]),
        *(
            shorts(f"kept-{n}", list(workload.steps(sigterm_s - 2.0 + n * 0.05, end_s, 0.2)), connection="keep-alive")
            for n in range(mix.kept)
        ),
        connects(targets.victim, at),
        OpenLoop("service", targets.service, cases, arrivals, picks, groups),
        *(half_sent if mix.half_sent else ()),
    ]


def _further(contract: Contract, mix: Mix, target: PodTarget, at: Moments, index: int) -> list[Load]:
    """A few cases of every further API, in flight at SIGTERM and sent until after it."""
    asked = [
        (at.sigterm_s - FURTHER_BEFORE_S + (n + place / len(mix.further)) * FURTHER_EVERY_S, case)
        for place, further in enumerate(mix.further)
        for cases in [further_cases(contract, further.name)]
        for n, case in enumerate(cases[n % len(cases)] for n in range(further.count))
    ]
    if not asked:
        return []
    asked.sort(key=lambda each: each[0])
    arrivals_s, exchanges = [at_s for at_s, _ in asked], tuple(case for _, case in asked)
    picks, groups = list(range(len(asked))), [index] * len(asked)
    return [OpenLoop(FURTHER, target, exchanges, arrivals_s, picks, groups, timeout_s=at.grace_s + 5)]


def _streams_and_large(contract: Contract, mix: Mix, target: PodTarget, at: Moments, index: int) -> list[Load]:
    found: list[Load] = []
    patience_s = at.grace_s + 5
    if (stream := workload.long_stream(contract.streaming_api)) and mix.streams:
        begin_s = [at.sigterm_s - before_s for before_s in STREAMS_BEGIN_S[-mix.streams :]]
        groups = [index] * len(begin_s)
        found.append(OpenLoop(STREAM, target, (stream,), begin_s, (), groups, timeout_s=patience_s, keep="all"))
    if large := workload.large_case(contract):
        for name, before_s, pause_s in (
            (LARGE, mix.large_before_s, None),
            (LARGE_HALF_SENT, mix.large_half_sent_before_s, 1.0),
        ):
            if sent_s := [at.sigterm_s - each_s for each_s in before_s]:
                groups = [index] * len(sent_s)
                found.append(
                    OpenLoop(name, target, (large,), sent_s, (), groups, timeout_s=patience_s, body_pause_s=pause_s)
                )
    return found


def _of_seconds(contract: Contract, mix: Mix, targets: Targets, at: Moments, budget_s: float, index: int) -> list[Load]:
    """Long cases of one API: those of its own length, those near the budget, and an old one near the budget."""
    long, sigterm_s = contract.api(mix.asks).long, at.sigterm_s

    def asked(name: str, seconds: float, sent_s: Sequence[float], target: PodTarget = targets.victim) -> OpenLoop:
        case = workload.long_case(contract, seconds, mix.asks)
        return OpenLoop(name, target, (case,), sent_s, (), [index] * len(sent_s))

    found: list[Load] = []
    if long and mix.longs:
        found.append(
            asked(
                "long", long.seconds, sorted(sigterm_s - 0.2 - n * long.seconds / mix.longs for n in range(mix.longs))
            )
        )
    if long and budget_s:
        found.append(
            asked(NEAR_BUDGET, mix.nearly * budget_s, [sigterm_s - before_s for before_s in mix.nearly_before_s])
        )
    if long and budget_s and mix.early:
        age_s = min(EARLY_AGE * budget_s, sigterm_s - at.start_s)
        seconds = age_s + NEARLY * budget_s
        found += [
            asked(EARLY, seconds, [sigterm_s - age_s]),
            asked(EARLY_AT_OTHER, seconds, [sigterm_s - age_s], targets.other),
        ]
    return found
