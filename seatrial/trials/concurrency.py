"""Many clients at once on one pod: lone cases first, then a closed loop over all cases, drawn at random.

Where the contract has a large case, the pod's first requests are that, and a few more of it come into the closed loop,
two at once; where batching is promised, too, as many at once as fill a batch come just before clients that do not.

A service that promises batching runs with it, under twice as many clients as its largest batch; where its metrics
do not tell how requests were put together, groups at once are timed against their members one by one. That needs a
delay that is short beside the work: where the declared one is not, it is set shorter for the groups, if a Helm value
governs it. Where a concurrency limit is in force, there are as many clients as it lets in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seatrial.contract import Batching, Contract, Governed, governed, merged, placed
from seatrial.ledger import Ledger
from seatrial.observation import Observation, Pod
from seatrial.traffic.plan import ClosedLoop, ConnectionUse, Load, Lone, OpenLoop
from seatrial.trials import large_requests, workload
from seatrial.trials.ablation import Ablation, thinned
from seatrial.trials.changed_setting import changed
from seatrial.trials.context import TrialContext
from seatrial.trials.pace import Pace
from seatrial.trials.sandbox import Sandbox, lone_latency_s
from seatrial.trials.slots import slots_of
from seatrial.trials.trial import trial
from seatrial.watch.metrics import Sizes, around, counted, sizes

ANSWERS = 2000  # without one wrong, more than 0.15 % are excluded at 95 % confidence
LEAST_CLIENTS = 16
LEAST_FOR_S = 6.0
LONGEST_S = 1200.0  # of the closed loop, where the service's pace brings its answers by then
LONE_WITHIN_S = 10.0
REFUSED_PAUSE_S = 0.05  # a client that is refused does not spin
SHORT_DELAY_MS = 5
LONG_SHARE = 0.2  # a delay of more than this share of a lone request hides what work takes
REPETITIONS, TOGETHER = 10, 8
MOST_OF_TIME = 0.6  # of the time one by one, where a group was worked on together
LONE, LOOP, FEW, AT_ONCE, ONE_BY_ONE, WARM_UP = "lone", "loop", "few", "at-once", "one-by-one", "warm-up"
MANY = 10**6  # slots: no limit

ONE_CLIENT = Ablation("one client at a time", thinned(0.05, LOOP, FEW))


@dataclass(frozen=True, slots=True)
class Windows:
    """How much is asked. The closed loop goes on until there are as many answers as wanted (`Pace`)."""

    large_alone: int = large_requests.LARGE_ALONE
    large_in_company: int = large_requests.LARGE_IN_COMPANY
    lone_cases: int = 12
    answers: int = ANSWERS
    least_for_s: float = LEAST_FOR_S
    patience_s: float = 120.0
    longest_s: float = LONGEST_S
    few_for_s: float = 4.0
    repetitions: int = REPETITIONS


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a trial; the pod's metrics were read on both sides, and nothing else was open."""

    start_s: float = 0.0
    end_s: float = 0.0

    @property
    def length_s(self) -> float:
        """How long it took."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Share:
    """Of the time one by one, what a group took at once: at least, and at most."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class ConcurrentLoad(Observation):
    """One pod, alone with its clients."""

    pod: str = ""
    clients: int = 0
    lone: Span = Span()
    loop: Span = Span()
    few: Span = Span()  # clients that do not fill a batch; empty without batching
    slots: int | None = None  # the concurrency limit of the release, where one is in force
    together: int = TOGETHER  # of a group
    delay_s: float = 0.0  # for which a request may have waited for company, when groups were timed
    unreached: str = ""  # the Helm value of a shorter delay, where its change replaced no pod
    large_at_once: int = 0  # large requests sent together, to share batches; 0: none were

    def open_at_once(self) -> float:
        """Requests of the closed loop that were open at a time, on average (Little's law); 0 without any."""
        rows = self.ledger.of(LOOP).to(self.pod)
        if not len(rows):
            return 0.0
        return float((rows.ended_s - rows.sent_s).sum() / (rows.ended_s.max() - rows.sent_s.min()))

    def sizes(self, metric: str, span: Span) -> Sizes | None:
        """The batches of a part of the trial; None where the metrics do not tell."""
        pair = around(self.scrapes, self.pod, span.start_s, span.end_s) if metric else None
        return sizes(*pair, metric) if pair else None

    def counted(self, metric: str, span: Span) -> float | None:
        """By how much a counter rose in a part of the trial; None where the metrics do not tell."""
        pair = around(self.scrapes, self.pod, span.start_s, span.end_s) if metric else None
        return counted(*pair, metric) if pair else None

    def most(self, wanted: int) -> int:
        """Of so many requests wanted at a time, those that the limit lets in."""
        return wanted if self.slots is None else min(wanted, self.slots)

    def shares_of_time(self) -> tuple[Share, ...]:
        """What a group at once took, of what its members took one by one; only groups with all answers right.

        A request may have waited for company, for as long as `delay_s`, and nobody sees whether it did. So each share
        is an interval: the members waited and the group did not, or the other way round.
        """
        shares = []
        for repetition in range(REPETITIONS):
            group = self.ledger.of(AT_ONCE).in_group(repetition)
            alone = self.ledger.of(f"{ONE_BY_ONE}-{repetition}")
            if len(group) == len(alone) == self.together > 1 and group.right.all() and alone.right.all():
                took_s = float(group.ended_s.max() - group.sent_s.min())
                alone_s = alone.ended_s - alone.sent_s
                work_s = float(np.maximum(alone_s - self.delay_s, 0.0).sum())
                shares.append(
                    Share(
                        max(0.0, took_s - self.delay_s) / float(alone_s.sum()),
                        took_s / work_s if work_s > 0 else float("inf"),
                    )
                )
        return tuple(shares)


@trial("concurrency", order=30, lasts_s=35)
def concurrency(context: TrialContext, *, windows: Windows = Windows()) -> ConcurrentLoad:
    """One replica, one client, then many."""
    contract = context.contract
    batching = contract.batching
    values = context.values(placed(governed(batching)), batching.values if batching else {})
    slots = slots_of(context, values)
    size = int(float(batching.max_size)) if batching else 0
    clients = min(max(LEAST_CLIENTS, 2 * size), slots or MANY)
    not_full = max(1, min(size, slots or MANY) // 2)
    together, delay_s = min(TOGETHER, slots or MANY), float(batching.max_delay_ms) / 1000 if batching else 0.0
    with Sandbox(context, "concurrency") as sandbox:
        sandbox.release.install(values, replicas=1)
        pod = sandbox.workload().wait_pods(1, contract.ready_within_s)[0]
        sandbox.note(pod=pod.name, clients=clients)
        target = sandbox.workload().target(pod)
        large_at_once = 0
        if large := workload.large_case(contract):
            alone = sandbox.traffic.start_now(large_requests.alone(target, large, windows.large_alone))
            seen = sandbox.traffic.collect(alone, windows.large_alone * (large_requests.WITHIN_S + 1))
            large_at_once = large_requests.fit_at_once(min(size, (slots or MANY) - not_full), seen)
        sandbox.traffic.scrape(target)
        lone_s = sandbox.now()
        rows = _lone(sandbox, pod, LONE, windows.lone_cases)
        sandbox.traffic.expect_answers(target, workload.cases(contract), rows)
        sandbox.traffic.lone_s = lone_latency_s(rows)
        lone = Span(lone_s, sandbox.now())
        sandbox.note(lone=lone)
        sandbox.traffic.scrape(target)
        beside: list[Load] = []
        if large:
            beside = [large_requests.in_company(target, large, windows.large_in_company, windows.least_for_s)]
        pace = Pace(windows.answers, windows.least_for_s, windows.patience_s, windows.longest_s)
        loop = _loop(sandbox, pod, LOOP, clients, pace, beside)
        sandbox.note(loop=loop)
        sandbox.traffic.scrape(target)
        # As many clients as fill two batches soon go in step, and every batch is full.
        few = Span()
        if batching:
            briefly = replace(pace, wanted=0, least_s=windows.few_for_s)
            beside = [large_requests.at_once(target, large, large_at_once)] if large and large_at_once else []
            few = _loop(sandbox, pod, FEW, not_full, briefly, beside, connection="keep-alive")
        sandbox.traffic.scrape(target)
        pods, unreached = [pod], ""
        if batching and not metrics_tell(contract):
            if shorter := _shorter(batching, sandbox.traffic.lone_s):
                after = changed(sandbox, merged(values, placed(iter([shorter]))), pods, 1)
                if after.replaced:
                    pods += after.pods
                    delay_s = float(shorter.set) / 1000
                else:
                    unreached = shorter.value
                _lone(sandbox, pods[-1], WARM_UP, together)
            for repetition in range(windows.repetitions):
                _at_once(sandbox, pods[-1], repetition, together)
                _lone(sandbox, pods[-1], f"{ONE_BY_ONE}-{repetition}", together)
        return ConcurrentLoad(
            **sandbox.seen(pods),
            pod=pod.name,
            clients=clients,
            lone=lone,
            loop=loop,
            few=few,
            slots=slots,
            together=together,
            delay_s=delay_s,
            unreached=unreached,
            large_at_once=large_at_once,
        )


def _shorter(batching: Batching, lone_s: float) -> Governed | None:
    """A delay that is short beside a lone request, where the declared one is not and a value governs it; else None."""
    promised = batching.max_delay_ms
    short = float(promised) <= max(SHORT_DELAY_MS, LONG_SHARE * lone_s * 1000)
    return None if short or not isinstance(promised, Governed) else Governed(value=promised.value, set=SHORT_DELAY_MS)


def metrics_tell(contract: Contract) -> bool:
    """The service counts both the sizes of its batches and the runs of its model."""
    return bool(contract.metrics and contract.metrics.batch_size and contract.metrics.model_runs)


def _lone(sandbox: Sandbox, pod: Pod, name: str, count: int) -> Ledger:
    cases = workload.cases(sandbox.context.contract)
    load = Lone(name, sandbox.workload().target(pod), cases, 0.01, count, 0.05, timeout_s=LONE_WITHIN_S)
    return sandbox.traffic.collect(sandbox.traffic.start_now(load), count * (LONE_WITHIN_S + 1))


def _loop(
    sandbox: Sandbox,
    pod: Pod,
    name: str,
    clients: int,
    pace: Pace,
    beside: Sequence[Load] = (),
    connection: ConnectionUse = "new",
) -> Span:
    """A closed loop until as many were answered as the pace wants."""
    cases = workload.cases(sandbox.context.contract)
    seed = sandbox.context.random("concurrency").randrange(2**31)
    start_s = sandbox.now()
    run = sandbox.traffic.start_now(
        ClosedLoop(
            name,
            sandbox.workload().target(pod),
            cases,
            clients,
            0.05,
            pace.longest_s,
            seed,
            connection=connection,
            pause_after_refusal_s=REFUSED_PAUSE_S,
        ),
        *beside,
    )
    answers = 0
    while pace.goes_on(sandbox.now() - start_s, answers):
        answers += sandbox.traffic.answers_within(run, 0.5)
    run.stop()
    sandbox.traffic.collect(run)
    return Span(start_s, sandbox.now())


def _at_once(sandbox: Sandbox, pod: Pod, repetition: int, together: int) -> None:
    cases = workload.cases(sandbox.context.contract)
    groups = [repetition] * together
    load = OpenLoop(
        AT_ONCE,
        sandbox.workload().target(pod),
        cases,
        [0.02] * together,
        workload.in_turn(together, len(cases)),
        groups,
    )
    sandbox.traffic.collect(sandbox.traffic.start_now(load))
