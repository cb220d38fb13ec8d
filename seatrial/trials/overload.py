"""Find what two replicas carry, offer them twice that, and see whether they come back.

Phases, all through the Service: lone cases, a closed loop at twice the concurrency (its goodput is the capacity C),
0.3 C as a baseline, 2 C, 0.3 C again; Poisson at 2 C, evenly spaced at 0.3 C, for a service that has slots and no
queue refuses some of any Poisson load. Where a concurrency limit is promised, long cases then hold all slots of one
pod (`held_slots`), and probes are sent to it meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seatrial.contract import governed, placed
from seatrial.ledger import Ledger, Mask
from seatrial.observation import Observation, Pod
from seatrial.traffic.arrivals import constant, poisson
from seatrial.traffic.plan import ClosedLoop, OpenLoop
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation, thinned
from seatrial.trials.context import TrialContext
from seatrial.trials.held_slots import Held, fill
from seatrial.trials.sandbox import Sandbox
from seatrial.trials.slots import met_full
from seatrial.trials.trial import trial

REPLICAS = 2
UNDECLARED_CONCURRENCY = 8
REFUSED_PAUSE_S = 0.05
WARM_UP_S = 2.0
OVERLOAD, LIGHT = 2.05, 0.3  # times the capacity; the oracles need 1.9 as sent
WANTED_OFFER, MOST_GOOD = 1.9, 0.9
OVERLOADED = f"an overload: {WANTED_OFFER:g} times the capacity offered, fewer than {MOST_GOOD:.0%} of the rows good"
WANTED_ROWS, WANTED_OVER = 300, 600
MOST_BEACON_RATIO = 2.0
BEACON_FLOOR_S = 0.02  # below this a beacon twice as slow says nothing about the subject's own latency
CLOSED, BASELINE, OVER, RECOVERY = "closed", "baseline", "overload", "recovery"

HARDLY_ANY_OVERLOAD = Ablation("a twentieth of the overload", thinned(0.05, OVER))


@dataclass(frozen=True, slots=True)
class Windows:
    """How long each phase lasts at least, and how many rows it is to have."""

    lone_cases: int = 30
    closed_s: float = 21.0
    overload_s: float = 45.0
    settle_s: float = 5.0  # after the overload, before recovery is counted
    wanted_rows: int = WANTED_ROWS  # of the baseline, and of the recovery
    wanted_over: int = WANTED_OVER
    probes: int = 120  # the check takes 100; the rest are for those beside which nothing was refused in time


@dataclass(frozen=True, slots=True)
class Overload(Observation):
    """Loads `closed`, `baseline`, `overload`, `recovery`; and those of `held_slots` where slots were filled."""

    capacity_rps: float = 0.0
    deadline_s: float = 0.0
    closed_s: tuple[float, float] = (0.0, 0.0)
    overload_s: tuple[float, float] = (0.0, 0.0)
    recovery_s: tuple[float, float] = (0.0, 0.0)
    held_pod: str = ""
    held: tuple[Held, ...] = ()  # each time that its slots were filled; records of before have none

    @property
    def over(self) -> Ledger:
        """The rows offered at twice the capacity."""
        return self.ledger.of(OVER)

    @property
    def offered_ratio(self) -> float:
        """What was offered in the overload, in capacities."""
        start_s, end_s = self.overload_s
        offered_rps = len(self.over) / (end_s - start_s) if end_s > start_s else 0.0
        return offered_rps / self.capacity_rps if self.capacity_rps else 0.0

    @property
    def good_share(self) -> float:
        """The share of those rows with a right answer within the deadline; 1 where there were none."""
        over = self.over
        return float((over.right & (over.latency_s <= self.deadline_s)).mean()) if len(over) else 1.0

    @property
    def was_overload(self) -> bool:
        """Whether 1.9 capacities were offered or more, and fewer than 0.9 of the rows were good."""
        return self.offered_ratio >= WANTED_OFFER and self.good_share < MOST_GOOD

    def beacon_trouble(self, start_s: float, end_s: float) -> str:
        """What speaks against the machine in a phase, next to the baseline; "" where the beacon was as fast."""
        beacon, baseline = self.ledger.of("beacon"), self.ledger.of(BASELINE)
        if not len(baseline):
            return "no baseline to hold the beacon against"
        calm = beacon.between(float(baseline.scheduled_s.min()), float(baseline.scheduled_s.max()))
        busy = beacon.between(start_s, end_s)
        if not len(calm) or not len(busy):
            return f"{len(calm)} rows of the beacon before, {len(busy)} meanwhile"
        before_s, then_s = float(np.median(calm.latency_s)), float(np.median(busy.latency_s))
        if then_s <= BEACON_FLOOR_S or then_s <= MOST_BEACON_RATIO * before_s:
            return ""
        return f"a beacon {then_s / before_s:.1f} times slower: {then_s:.3f} s, {before_s:.3f} s before"

    def refused_when_full(self, rows: Ledger, limit: float) -> Mask:
        """Which of these rows (refusals) met as many requests on one replica as it takes at once, shape (n,)."""
        through = self.ledger.of(BASELINE, OVER, RECOVERY)
        return met_full(rows, through.select(through.right), limit)

    def overload_facts(self) -> str:
        """The same as a sentence."""
        return (
            f"{len(self.over)} rows at {self.offered_ratio:.2f} times the capacity of {self.capacity_rps:.1f}/s, "
            f"{self.good_share:.0%} of them good"
        )


@trial("overload", order=45, lasts_s=151)
def overload(context: TrialContext, *, windows: Windows = Windows()) -> Overload:
    """Two replicas with the promised concurrency limit, if one is."""
    contract = context.contract
    limit = contract.limits.concurrency
    values = context.values(*((placed(governed(limit)), limit.values) if limit else ()))
    with Sandbox(context, "overload") as sandbox:
        sandbox.release.install(values, replicas=REPLICAS)
        pods = sandbox.workload().wait_pods(REPLICAS, contract.ready_within_s)
        cases, target = workload.cases(contract), sandbox.workload().service()
        lone = sandbox.traffic.measure_lone(sandbox.workload().target(pods[0]), cases, count=windows.lone_cases)
        deadline_s = contract.api().deadline_s or 10 * float(np.quantile(lone.latency_s, 0.95))
        concurrency = 2 * REPLICAS * int(float(limit.limit) if limit else UNDECLARED_CONCURRENCY)

        start_s = sandbox.now() + 0.3
        closed_s = (start_s, start_s + windows.closed_s)
        seed = context.random("overload").randrange(2**31)
        closed = ClosedLoop(
            CLOSED, target, cases, concurrency, *closed_s, seed, timeout_s=30, connection="new",
            pause_after_refusal_s=REFUSED_PAUSE_S,
        )  # fmt: skip
        rows = sandbox.traffic.send(closed)
        capacity_rps = goodput_rps(rows, deadline_s, closed_s[0] + WARM_UP_S, closed_s[1])

        def through(name: str, factor: float, start_s: float, length_s: float) -> tuple[float, float]:
            rps, end_s = max(factor * capacity_rps, 1.0), start_s + length_s
            # Light load comes evenly: of Poisson arrivals at 0.3 C, four slots without a queue rightly refuse 1 in 40.
            arrivals = (
                constant(rps, start_s, end_s) if factor < 1 else poisson(rps, start_s, end_s, seed + len(name))
            ).tolist()
            picks = workload.drawn(len(arrivals), len(cases), seed)
            sandbox.traffic.start(OpenLoop(name, target, cases, arrivals, picks, timeout_s=30.0))
            return start_s, end_s

        counted_s = (closed_s[0] + WARM_UP_S, closed_s[1])
        sandbox.note(capacity_rps=capacity_rps, deadline_s=deadline_s, closed_s=counted_s)
        # Of a service that answered nothing there is no multiple: to offer it something would take many minutes.
        over_s = recovery_s = (0.0, 0.0)
        if capacity_rps:
            light_s = 1.1 * windows.wanted_rows / max(LIGHT * capacity_rps, 1.0)
            baseline_s = through(BASELINE, LIGHT, sandbox.now() + 1.0, light_s)
            enough_s = 1.1 * windows.wanted_over / max(OVERLOAD * capacity_rps, 1.0)
            lasts_s = max(windows.overload_s, 2 * _patience_s(sandbox, pods) + 5, enough_s)
            over_s = through(OVER, OVERLOAD, baseline_s[1], lasts_s)
            start_s, end_s = through(RECOVERY, LIGHT, over_s[1], windows.settle_s + light_s)
            recovery_s = (start_s + windows.settle_s, end_s)
            sandbox.sleep_until(end_s + 1.0)
            sandbox.note(overload_s=over_s, recovery_s=recovery_s)
        held_pod, held = "", tuple[Held, ...]()
        if limit and contract.api().long and (left := sandbox.workload().pods()):
            held_pod = left[0].name
            sandbox.note(held_pod=held_pod)
            held = fill(sandbox, left[0], int(float(limit.limit)), windows.probes)
        return Overload(
            **sandbox.seen(),
            capacity_rps=capacity_rps,
            deadline_s=deadline_s,
            closed_s=counted_s,
            overload_s=over_s,
            recovery_s=recovery_s,
            held_pod=held_pod,
            held=held,
        )


def goodput_rps(rows: Ledger, deadline_s: float, start_s: float, end_s: float) -> float:
    """Right answers within the deadline that ended in [start_s, end_s), per second."""
    good = good_ends_s(rows, deadline_s)
    return float(((good >= start_s) & (good < end_s)).sum()) / (end_s - start_s)


def good_ends_s(rows: Ledger, deadline_s: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """When each right answer within the deadline ended, ascending."""
    return np.sort(rows.ended_s[rows.right & (rows.latency_s <= deadline_s)])


def _patience_s(sandbox: Sandbox, pods: tuple[Pod, ...]) -> float:
    probe = workload.probe(pods[0].spec, sandbox.context.contract.subject.container, "liveness")
    return probe.patience_s if probe else 0.0
