"""Upgrade a loaded release until every pod of the old revision is gone.

The contract names one harmless value that alters the pod template. Poisson arrivals go through the Service at up to
100/s, at most 0.3 of the capacity, from 5 s before the value is changed until 5 s after the last old pod is gone. The
capacity is the goodput of a closed loop just before, with twice the declared concurrency as the clients. Where one
upgrade brings too few requests, there are more of them, back to the value before and forth again.
Source: Kubernetes, "Deployments", rolling update; contract `rollout`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial import charts
from seatrial.contract import Drain, Rollout
from seatrial.errors import InvalidMeasurement
from seatrial.ledger import Ledger, Mask, Request
from seatrial.observation import Change, Observation
from seatrial.traffic.arrivals import poisson
from seatrial.traffic.plan import ClosedLoop, OpenLoop
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation
from seatrial.trials.context import TrialContext
from seatrial.trials.overload import REFUSED_PAUSE_S, UNDECLARED_CONCURRENCY, WARM_UP_S, goodput_rps
from seatrial.trials.pod_deletion import PROPAGATION_S
from seatrial.trials.sandbox import LONE, Sandbox
from seatrial.trials.trial import trial
from seatrial.watch.pods import deleted_at_s, gone_at_s, namesake_at_s, ready_pods

REPLICAS = 2
SERVICE, CALIBRATION = "service", "calibration"
LIGHT, MOST_RPS = 0.3, 100.0
LEAD_S = 5.0  # of load before an upgrade begins, and after its last old pod is gone
WANTED_ROWS = 2000

NO_UPGRADE = Ablation("nothing is changed, so that no pod is replaced")


@dataclass(frozen=True, slots=True)
class Windows:
    """For how long the release is loaded, and how many requests the upgrades are to meet."""

    calibration_s: float = 7.0  # of which the first 2 s are left out
    lead_s: float = LEAD_S
    wanted_rows: int = WANTED_ROWS
    most_upgrades: int = 6


@dataclass(frozen=True, slots=True)
class Round:
    """One upgrade; `index` is the group of its rows. `finished_s` is None where old pods, or too few new, were left."""

    index: int
    old_pods: tuple[str, ...]
    load_s: tuple[float, float]
    changed_s: float
    finished_s: float | None


@dataclass(frozen=True, slots=True)
class Departure:
    """An old pod that was deleted; from until_s on its name is another's, as in a StatefulSet."""

    pod: str
    at_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Upgrade(Observation):
    """Loads `calibration` and `service`; upgrades one after the other.

    Raises InvalidMeasurement unless each row of `service` is in the group of one of them, or the trial was stopped
    during an upgrade.
    """

    rounds: tuple[Round, ...] = ()
    capacity_rps: float = 0.0
    offered_rps: float = 0.0
    propagation_s: float = 0.0

    def __post_init__(self) -> None:
        """Every request through the Service is of an upgrade."""
        Observation.__post_init__(self)
        groups = set(self.ledger.of(SERVICE).group.tolist())
        strays = sorted(groups - {round.index for round in self.rounds})
        if strays and not self.stopped:
            raise InvalidMeasurement(
                f"upgrade: expected every request of the load {SERVICE} in the group of its upgrade, found groups "
                f"{strays} of none of {len(self.rounds)}; report this"
            )

    def round_of(self, row: Request) -> Round:
        """The upgrade that a row of `service` was sent for."""
        return next(round for round in self.rounds if round.index == row.group)

    def departures(self) -> Iterator[Departure]:
        """Each old pod whose deletion was seen."""
        changes = self.timeline.changes
        for round in self.rounds:
            for pod in round.old_pods:
                at_s = deleted_at_s(changes, pod, round.changed_s)
                if at_s is not None:
                    yield Departure(pod, at_s, namesake_at_s(changes, pod, at_s))

    def answered_by(self, rows: Ledger, pod: str) -> Mask:
        """Which rows this pod answered, shape (n,).

        That is known where the generator chose the pod. Where a proxy did, the answer's `X-Served-By` tells, if the
        answers to the lone requests, which went to pods' own addresses, named these pods.
        """
        known: Mask = rows.pod == rows.code(pod)
        if not self._answers_name_pods:
            return known
        naming = [code for code in np.unique(rows.headers).tolist() if _served_by(rows.strings[code]) == pod]
        named: Mask = (rows.pod == rows.code("")) & np.isin(rows.headers, naming)
        return known | named

    @property
    def _answers_name_pods(self) -> bool:
        lone = list(self.ledger.of(LONE))
        return bool(lone) and all(_served_by(row.headers) == row.target for row in lone)

    def met_a_leaving_pod(self, rows: Ledger) -> Mask:
        """Which rows set out after a pod's deletion and were answered by it, or went unanswered then, shape (n,).

        Unanswered counts where the row set out within the propagation allowance of a deletion.
        """
        met: Mask = np.zeros(len(rows), dtype=np.bool_)
        for left in self.departures():
            after = rows.sent_s >= left.at_s
            met |= after & (rows.sent_s < left.until_s) & self.answered_by(rows, left.pod)
            met |= after & (rows.sent_s <= left.at_s + self.propagation_s) & ~rows.right
        return met

    def misrouted(self, rows: Ledger) -> Mask:
        """Which rows went to a pod that had been deleted longer ago than the propagation allowance, shape (n,).

        The network led there too long: no pod has to wait for that.
        """
        late: Mask = np.zeros(len(rows), dtype=np.bool_)
        for left in self.departures():
            after = (rows.sent_s > left.at_s + self.propagation_s) & (rows.sent_s < left.until_s)
            late |= after & self.answered_by(rows, left.pod)
        return late


def _served_by(headers: str) -> str:
    """The pod that an answer's kept headers name, "" where none does."""
    return str(json.loads(headers).get("x-served-by", "")) if headers else ""


@trial("upgrade", order=35, lasts_s=80)
def upgrade(context: TrialContext, rollout: Rollout, drain: Drain | None, *, windows: Windows = Windows()) -> Upgrade:
    """Two replicas, and upgrades of them until enough requests were sent."""
    before = context.values(rollout.values)
    after = charts.with_value(context.chart, before, rollout.change.value, rollout.change.set)
    with Sandbox(context, "upgrade") as sandbox:
        sandbox.release.install(before, replicas=REPLICAS)
        pods = sandbox.workload().wait_pods(REPLICAS, context.contract.ready_within_s)
        sandbox.traffic.measure_lone(sandbox.workload().target(pods[0]), workload.cases(context.contract))
        capacity_rps = _capacity_rps(sandbox, windows.calibration_s)
        offered_rps = max(1.0, min(MOST_RPS, LIGHT * capacity_rps))
        propagation_s = drain.propagation_s if drain else PROPAGATION_S
        sandbox.note(capacity_rps=capacity_rps, offered_rps=offered_rps, propagation_s=propagation_s)
        rounds: list[Round] = []
        while _wants_more(rounds, offered_rps, windows):
            values = before if len(rounds) % 2 else after
            rounds.append(_round(sandbox, len(rounds), values, offered_rps, windows.lead_s))
            sandbox.note(rounds=tuple(rounds))
        return Upgrade(
            **sandbox.seen(),
            rounds=tuple(rounds),
            capacity_rps=capacity_rps,
            offered_rps=offered_rps,
            propagation_s=propagation_s,
        )


def _capacity_rps(sandbox: Sandbox, for_s: float) -> float:
    """Right answers per second that two replicas give to twice as many clients as they are said to take at once."""
    contract = sandbox.context.contract
    limit = contract.limits.concurrency
    clients = 2 * REPLICAS * max(UNDECLARED_CONCURRENCY, int(float(limit.limit)) if limit else 0)
    start_s = sandbox.now() + 0.3
    end_s = start_s + for_s
    rows = sandbox.traffic.send(
        ClosedLoop(
            CALIBRATION,
            sandbox.workload().service(),
            workload.cases(contract),
            clients,
            start_s,
            end_s,
            sandbox.context.random(CALIBRATION).randrange(2**31),
            timeout_s=30,
            connection="new",
            pause_after_refusal_s=REFUSED_PAUSE_S,
        )
    )
    return goodput_rps(rows, float("inf"), start_s + WARM_UP_S, end_s)


def _wants_more(rounds: list[Round], offered_rps: float, windows: Windows) -> bool:
    if len(rounds) == windows.most_upgrades or any(round.finished_s is None for round in rounds):
        return False
    return sum(round.load_s[1] - round.load_s[0] for round in rounds) * offered_rps < 1.1 * windows.wanted_rows


def _round(sandbox: Sandbox, index: int, values: Mapping[str, Any], offered_rps: float, lead_s: float) -> Round:
    contract, withheld = sandbox.context.contract, sandbox.context.withholds(NO_UPGRADE)
    old = sandbox.workload().wait_pods(REPLICAS, contract.ready_within_s)
    longest_s = REPLICAS * (contract.ready_within_s + max(pod.spec["terminationGracePeriodSeconds"] for pod in old))
    seed = sandbox.context.random(f"upgrade-{index}").randrange(2**31)
    start_s = sandbox.now() + 0.3
    arrivals_s = poisson(offered_rps, start_s, start_s + 2 * lead_s + longest_s, seed).tolist()
    cases = workload.cases(contract)
    picks, groups = workload.drawn(len(arrivals_s), len(cases), seed), [index] * len(arrivals_s)
    service = sandbox.workload().service()
    run = sandbox.traffic.start(OpenLoop(SERVICE, service, cases, arrivals_s, picks, groups, timeout_s=30.0))
    sandbox.sleep_until(start_s + lead_s)
    changed_s = sandbox.now()
    if not withheld:
        sandbox.release.upgrade(values, replicas=REPLICAS, wait=False)

    def replaced(changes: Sequence[Change]) -> bool:
        gone = all(gone_at_s(changes, pod) is not None for pod in old)
        return gone and len(ready_pods(changes, sandbox.subject)) == REPLICAS

    finished_s = sandbox.now() if sandbox.watch.wait(replaced, lead_s if withheld else longest_s) else None
    sandbox.sleep_until(sandbox.now() + lead_s)
    run.stop()
    return Round(index, tuple(pod.name for pod in old), (start_s, sandbox.now()), changed_s, finished_s)
