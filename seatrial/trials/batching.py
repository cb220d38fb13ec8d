"""How one pod puts requests together: full batches, lone requests, a trickle, bursts, and a request that fails.

Bursts are sent at the declared largest batch, and again at a smaller one (`second_size`) where a Helm value governs it.
Source: contract `batching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seatrial.contract import Batching, Governed, governed, placed
from seatrial.ledger import Ledger, joined
from seatrial.observation import Observation, Pod
from seatrial.traffic.fleet import FleetRun
from seatrial.traffic.plan import Lone, OpenLoop
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation, thinned, without
from seatrial.trials.batch_delay import FULL, LONE, LONE_ROWS, TRICKLE, Gaps, Patience, time_waited
from seatrial.trials.concurrency import Span
from seatrial.trials.context import TrialContext
from seatrial.trials.quiet_time import LEAST_ROWS, QUIET, arrivals_s
from seatrial.trials.race import SWEEP, planned
from seatrial.trials.sandbox import Sandbox
from seatrial.trials.second_size import changed_to_smaller
from seatrial.trials.trial import trial

WARM_UP, BURST = "warm-up", "burst"
RACE = "race"  # of records from before the sweep
ALONE, GOOD, POISON, AFTER = "poison-alone", "round", "poison", "after-poison"
TRICKLE_STEP = 0.8  # of the delay
BURST_OF = 4  # batches at once
ROUND_OF, AFTERWARDS = 8, 16
TOGETHER_WITHIN_S = 10.0
LEAD_S = 0.02  # for the generator to have the whole load before its first arrival
AT_S = 0.001

NO_BURSTS = Ablation("no bursts", without(BURST, SWEEP))
FIFTH_OF_THE_LONE = Ablation("a fifth of the lone requests", thinned(0.2, LONE, TRICKLE, QUIET))
NOTHING_FAILS = Ablation("nothing fails", without(POISON, ALONE))


@dataclass(frozen=True, slots=True)
class Windows:
    """How often each is done."""

    full_batches: int = 12
    lone_rows: tuple[int, ...] = LONE_ROWS
    quiet_rows: tuple[int, ...] = LEAST_ROWS  # at least
    trickle_for_s: float = 10.0
    bursts: int = 14
    poison_places: int = 3  # times first, middle and last in a batch; then one batch with two of them
    afterwards: int = AFTERWARDS


@dataclass(frozen=True, slots=True)
class Setting:
    """Bursts at one largest batch."""

    size: int
    pod: str
    span: Span
    replaced: bool = True  # the pod from before the change to this size; False: it may not have reached it
    races: int = 0  # batches of load `sweep` that were to be closed while they waited; records of before have none


@dataclass(frozen=True, slots=True)
class Round:
    """Good requests and some that fail, sent together; `index` is their group in the ledger."""

    index: int
    size: int
    poisons: tuple[int, ...]  # places in the order of sending
    span: Span


@dataclass(frozen=True, slots=True)
class Batches(Observation):
    """One pod with batching; the bursts of the second setting met its successor."""

    pod: str = ""
    quiet_pod: str = ""  # another, which was asked after quiet times only; "" in records of before
    size: int = 0
    delay_s: float = 0.0
    spacing_s: float = 0.0  # of the lone requests, at least
    gaps: Gaps | None = None  # between them; None: records of a time when all were the same
    looks: int = 0  # at lone requests and trickle
    settings: tuple[Setting, ...] = ()
    rounds: tuple[Round, ...] = ()


@trial("batching", promise=Batching, order=31, lasts_s=65)
def batching(context: TrialContext, *, windows: Windows = Windows()) -> Batches:
    """One replica at its own address, and another that is asked after quiet times only."""
    promise = context.contract.batching
    assert promise is not None
    size, delay_s = int(float(promise.max_size)), float(promise.max_delay_ms) / 1000
    values = context.values(placed(governed(promise)), promise.values)
    with Sandbox(context, "batching") as sandbox:
        sandbox.release.install(values, replicas=2)
        pod, quiet_pod = sandbox.workload().wait_pods(2, context.contract.ready_within_s)
        sandbox.note(pod=pod.name, quiet_pod=quiet_pod.name, size=size, delay_s=delay_s)
        _at_times_begun(sandbox, quiet_pod, WARM_UP, 0, [LEAD_S], TOGETHER_WITHIN_S)
        full = _full_batches(sandbox, pod, size, windows.full_batches)
        gaps = Gaps.of(full, delay_s)
        spacing_s = gaps.answer_s + gaps.least_s
        looks = _lone_and_trickled(sandbox, pod, quiet_pod, full, gaps, delay_s, windows)
        sandbox.note(spacing_s=spacing_s, gaps=gaps, looks=looks)
        settings = [_bursts(sandbox, pod, size, delay_s, gaps.work_s, windows.bursts)]
        sandbox.note(settings=tuple(settings))
        rounds = _poisoned(sandbox, pod, min(ROUND_OF, size), windows) if promise.poison else ()
        sandbox.note(rounds=rounds)
        if isinstance(promise.max_size, Governed) and size > 1:
            smaller, after = changed_to_smaller(sandbox, promise.max_size, values, [pod, quiet_pod])
            setting = _bursts(sandbox, after.pods[0], smaller, delay_s, gaps.work_s, windows.bursts)
            settings.append(replace(setting, replaced=after.replaced))
        return Batches(
            **sandbox.seen(),
            pod=pod.name,
            quiet_pod=quiet_pod.name,
            size=size,
            delay_s=delay_s,
            spacing_s=spacing_s,
            gaps=gaps,
            looks=looks,
            settings=tuple(settings),
            rounds=rounds,
        )


def _together(sandbox: Sandbox, pod: Pod, name: str, offsets_s: Sequence[float], groups: Sequence[int]) -> Ledger:
    """Distinct cases at these offsets from one moment; all answers."""
    cases = workload.cases(sandbox.context.contract)
    count = len(offsets_s)
    load = OpenLoop(
        name,
        sandbox.workload().target(pod),
        cases,
        [LEAD_S + offset_s for offset_s in offsets_s],
        [(groups[0] * count + n) % len(cases) for n in range(count)],
        groups,
        timeout_s=TOGETHER_WITHIN_S,
    )
    return sandbox.traffic.collect(sandbox.traffic.start_now(load))


def _scrape(sandbox: Sandbox, pod: Pod) -> None:
    sandbox.traffic.scrape(sandbox.workload().target(pod))


def _full_batches(sandbox: Sandbox, pod: Pod, size: int, count: int) -> Ledger:
    """As many at once as fit in a batch: it is full at once, so nobody waits for the delay."""
    first = _together(sandbox, pod, WARM_UP, [0.0] * size, [0] * size)
    sandbox.traffic.expect_answers(sandbox.workload().target(pod), workload.cases(sandbox.context.contract), first)
    return joined(_together(sandbox, pod, FULL, [0.0] * size, [group] * size) for group in range(count))


def _lone_and_trickled(
    sandbox: Sandbox, pod: Pod, quiet_pod: Pod, full: Ledger, gaps: Gaps, delay_s: float, windows: Windows
) -> int:
    """Lone requests after gaps of all lengths, then a trickle; again only where the first look does not settle it.

    Meanwhile another pod is asked after quiet times.
    """
    random = sandbox.context.random("batching")
    sandbox.traffic.lone_s = gaps.answer_s
    step_s = max(TRICKLE_STEP * delay_s, AT_S)
    timeout_s = 2 * Patience.of(full, delay_s).lone_s + 1
    rows, looks = full, 0
    for look, (count, least) in enumerate(zip(windows.lone_rows, windows.quiet_rows, strict=False)):
        apart_s = LEAD_S + np.cumsum([gaps.answer_s + gap_s for gap_s in gaps.drawn(count, random)])
        seldom_s = arrivals_s(gaps.answer_s, apart_s[-1] + windows.trickle_for_s, least)
        quiet = _at_times_begun(sandbox, quiet_pod, QUIET, look, seldom_s, timeout_s)
        lone = _at_times(sandbox, pod, LONE, look, apart_s.tolist(), timeout_s)
        closely_s = workload.steps(LEAD_S, LEAD_S + windows.trickle_for_s, step_s)
        trickle = _at_times(sandbox, pod, TRICKLE, look, closely_s, timeout_s)
        rows = joined([rows, lone, trickle, sandbox.traffic.collect(quiet, seldom_s[-1] + timeout_s + 30)])
        looks = look + 1
        if time_waited(rows, delay_s, looks, gaps).settled:
            break
    return looks


def _at_times(
    sandbox: Sandbox, pod: Pod, name: str, look: int, arrivals_s: Sequence[float], timeout_s: float
) -> Ledger:
    run = _at_times_begun(sandbox, pod, name, look, arrivals_s, timeout_s)
    return sandbox.traffic.collect(run, arrivals_s[-1] + timeout_s + 30)


def _at_times_begun(
    sandbox: Sandbox, pod: Pod, name: str, look: int, arrivals_s: Sequence[float], timeout_s: float
) -> FleetRun:
    cases = workload.cases(sandbox.context.contract)
    count = len(arrivals_s)
    load = OpenLoop(
        name,
        sandbox.workload().target(pod),
        cases,
        arrivals_s,
        workload.in_turn(count, len(cases)),
        [look] * count,
        timeout_s=timeout_s,
    )
    return sandbox.traffic.start_now(load)


def _bursts(sandbox: Sandbox, pod: Pod, size: int, delay_s: float, full_s: float, count: int) -> Setting:
    """Four batches' worth at once; and batches that are closed at every moment of their wait."""
    sweep = planned(delay_s, full_s)
    _scrape(sandbox, pod)
    start_s = sandbox.now()
    for group in range(count):
        burst = _together(sandbox, pod, f"{BURST}-{size}", [0.0] * BURST_OF * size, [group] * BURST_OF * size)
        if "timeout" in burst.texts("error"):
            break  # what is left hangs: more would hang as long, and show no larger batch
    else:
        _together(sandbox, pod, f"{SWEEP}-{size}", *sweep.sent(size))
    end_s = sandbox.now()
    _scrape(sandbox, pod)
    return Setting(size, pod.name, Span(start_s, end_s), races=sweep.races)


def _poisoned(sandbox: Sandbox, pod: Pod, size: int, windows: Windows) -> tuple[Round, ...]:
    """The failing request alone, then first, in the middle and last of a full batch, then two of it."""
    poison = workload.poison(sandbox.context.contract)
    sandbox.traffic.collect(
        sandbox.traffic.start_now(
            Lone(ALONE, sandbox.workload().target(pod), (poison,), LEAD_S, 3, 0.05, timeout_s=TOGETHER_WITHIN_S)
        )
    )
    places = [(0,), (size // 2,), (size - 1,)] * windows.poison_places + [(size // 4, (3 * size) // 4)]
    _scrape(sandbox, pod)
    rounds = tuple(_round(sandbox, pod, index, size, where) for index, where in enumerate(places))
    cases = workload.cases(sandbox.context.contract)
    arrivals_s = workload.steps(LEAD_S, LEAD_S + (windows.afterwards - 0.5) * 0.05, 0.05)
    picks = workload.in_turn(windows.afterwards, len(cases))
    sandbox.traffic.collect(
        sandbox.traffic.start_now(
            OpenLoop(AFTER, sandbox.workload().target(pod), cases, arrivals_s, picks, timeout_s=TOGETHER_WITHIN_S)
        )
    )
    return rounds


def _round(sandbox: Sandbox, pod: Pod, index: int, size: int, places: tuple[int, ...]) -> Round:
    cases, target = workload.cases(sandbox.context.contract), sandbox.workload().target(pod)
    start_s = sandbox.now()
    due_s = [LEAD_S + n * AT_S for n in range(size)]  # a millisecond apart, so that places mean something
    good = [n for n in range(size) if n not in places]
    sandbox.traffic.collect(
        sandbox.traffic.start_now(
            OpenLoop(
                GOOD,
                target,
                cases,
                [due_s[n] for n in good],
                [(index * size + n) % len(cases) for n in good],
                [index] * len(good),
                timeout_s=TOGETHER_WITHIN_S,
            ),
            OpenLoop(
                POISON,
                target,
                (workload.poison(sandbox.context.contract),),
                [due_s[n] for n in places],
                (),
                [index] * len(places),
                timeout_s=TOGETHER_WITHIN_S,
                keep="all",
            ),
        )
    )
    end_s = sandbox.now()
    _scrape(sandbox, pod)
    return Round(index, size, places, Span(start_s, end_s))
