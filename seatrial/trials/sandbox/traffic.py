"""What a sandbox's own generators send, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seatrial.errors import InvalidMeasurement
from seatrial.ledger import Ledger, joined
from seatrial.observation import GeneratorHealth, Scrape
from seatrial.traffic.fleet import Fleet, FleetRun
from seatrial.traffic.plan import Credentials, Exchange, Load, Lone, OpenLoop, PodTarget
from seatrial.trials.context import RELEASE, CasesNotAnswered, TrialContext
from seatrial.trials.credentials import of_environment, of_secret, signed
from seatrial.trials.first_answers import AGAIN, AGAIN_TIMES, ASKED_AGAIN, is_mistaken, mistake
from seatrial.trials.harness import BEACON_PORT
from seatrial.trials.sandbox.reach import reach

LONE = "lone"  # the load that measures how long a request takes that has a replica to itself
BEACON_RPS = 4.0
CUT_SHORT_WITHIN_S = 0.5  # of attempts that are open when a trial is stopped, each run
BEACON_FOR_S = 1800.0  # longer than any sandbox; stopped with it


@dataclass(frozen=True, slots=True)
class Told:
    """Of a run: attempts that have ended by now, and those of them that were answered, whatever the answer."""

    ended: int = 0
    answered: int = 0
    refused: int = 0  # of those, by the status that a declared limit refuses with

    @property
    def share(self) -> float:
        """The share of answers: how much of a wait was the service's time. 0 where nothing came of it."""
        return self.answered / self.ended if self.ended else 0.0

    def __str__(self) -> str:
        return f"{self.answered} of {self.ended} requests that ended were answered"


class Traffic:
    """Generators of one sandbox; they ask the beacon from their first use to the end."""

    def __init__(self, context: TrialContext, namespace: str, ready: Callable[[], Sequence[PodTarget]]) -> None:
        self._context = context
        self._namespace = namespace
        self._ready = ready  # the pods of the workload under load
        self._generator: Fleet | None = None
        self._runs: list[FleetRun] = []
        self._ledgers: dict[str, Ledger] = {}
        self._told: dict[str, Told] = {}
        self._waited_s: dict[str, float] = {}  # since the last answer of a run
        self._scrapes: list[Scrape] = []
        self.lone_s = 0.0  # latency of a request that has a replica to itself, once measured

    @property
    def generator(self) -> Fleet:
        """The sandbox's own generators, synchronised and self-tested on first use."""
        if self._generator is None:
            with self._context.limit.granted():
                self._generator = self._context.open_generator()
                self._generator.prepare()
            self._ask_beacon(self._generator)
        return self._generator

    def _ask_beacon(self, generator: Fleet) -> None:
        address = self._context.cluster.address(self._context.beacon_namespace, "beacon", BEACON_PORT)
        start_s = self._context.clock.now() + 0.1
        arrivals_s = [start_s + n / BEACON_RPS for n in range(int(BEACON_FOR_S * BEACON_RPS))]
        ask = (Exchange("beacon", "GET", "/", expect={"beacon": True}),)
        load = OpenLoop("beacon", reach(self._context, address), ask, arrivals_s, timeout_s=5.0)
        self._runs.append(generator.start([load]))

    def start(self, *loads: Load) -> FleetRun:
        """Begin to send, times on the run's clock; the rows join the sandbox's ledger when they are collected."""
        return self._keep(self.generator.start(self._planted(loads)))

    def start_now(self, *loads: Load) -> FleetRun:
        """Begin to send, times counted from the moment the generator has the loads."""
        return self._keep(self.generator.start_now(self._planted(loads)))

    def _planted(self, loads: Sequence[Load]) -> list[Load]:
        kept = list(loads)
        for ablation in self._context.injection.ablations:
            if ablation.loads:
                kept = ablation.loads(kept)
        return signed(kept, self._credential)

    def _credential(self, asked: Credentials) -> str:
        if not asked.secret:
            return of_environment(asked)
        name = asked.secret.format(release=self._context.subject.name or RELEASE)
        return of_secret(asked, name, self._context.api.find(f"/api/v1/namespaces/{self._namespace}/secrets/{name}"))

    def _keep(self, run: FleetRun) -> FleetRun:
        self._runs.append(run)
        return run

    def collect(self, run: FleetRun, timeout_s: float = 120.0) -> Ledger:
        """Wait for the end of what was started, keep it, and return it.

        Raises TrialStopped where the trial's time is over before that, and too little is answered to go on.
        """
        limit, began_s, counted_s = self._context.limit, time.monotonic(), 0.0
        while True:
            patience_s = max(0.0, began_s + timeout_s - time.monotonic())
            try:
                ledger = run.collect(min(patience_s, limit.left_s()))
                break
            except InvalidMeasurement:
                if limit.left_s() > 0:
                    raise
            told = self._ask_for_news(run)
            served_s = told.share * (time.monotonic() - began_s)
            limit.served(served_s - counted_s)
            counted_s = served_s
            limit.check(f"waiting for answers of load {', '.join(run.loads)}; {told}")
        share = Told(len(ledger), answers_in(ledger)).share
        limit.served(share * (time.monotonic() - began_s) - counted_s)
        self._ledgers[run.name] = ledger
        return ledger

    def answers_within(self, run: FleetRun, for_s: float) -> int:
        """Wait for so many seconds; how many attempts were answered meanwhile, and not refused as declared.

        Raises TrialStopped as `collect`.
        """
        limit, before = self._context.limit, self._told.get(run.name, Told())
        time.sleep(for_s)
        told = self._ask_for_news(run)
        answered = told.answered - before.answered
        # All the time until an answer comes is the service's: slow ones do not answer within every wait.
        waited_s = self._waited_s.get(run.name, 0.0) + for_s
        if answered:
            limit.served(waited_s)
        self._waited_s[run.name] = 0.0 if answered else waited_s
        limit.check(f"waiting for answers of load {', '.join(run.loads)}; {told}")
        return answered - (told.refused - before.refused)

    def _ask_for_news(self, run: FleetRun) -> Told:
        rows, _ = run.fresh()
        before = self._told.get(run.name, Told())
        refused = int(np.isin(rows.status, [reject.status for reject in self._context.contract.limits.rejects]).sum())
        self._told[run.name] = Told(
            before.ended + len(rows), before.answered + answers_in(rows), before.refused + refused
        )
        return self._told[run.name]

    def cut_short(self) -> None:
        """Stop whatever is still sent, and keep the attempts that have ended; what is open then is left out."""
        for run in self._runs:
            run.stop()
        for run in self._runs:
            if run.name not in self._ledgers:
                self._ledgers[run.name] = run.so_far(CUT_SHORT_WITHIN_S)

    def send(self, *loads: Load, timeout_s: float = 120.0) -> Ledger:
        """Start and collect."""
        return self.collect(self.start(*loads), timeout_s)

    def measure_lone(self, target: PodTarget, cases: Sequence[Exchange], count: int = 12) -> Ledger:
        """Send cases one after the other to an idle pod; their median latency is kept as `lone_s`.

        Raises CasesNotAnswered as `expect_answers`.
        """
        rows = self.collect(self.start_now(Lone(LONE, target, tuple(cases), 0.01, count, 0.05)))
        self.expect_answers(target, cases, rows)
        self.lone_s = lone_latency_s(rows)
        return rows

    def expect_answers(self, target: PodTarget, cases: Sequence[Exchange], rows: Ledger, place: str = "") -> None:
        """See that an API's cases are answered as its API may, judging by the first ones, `rows`, of a pod.

        Where none of them is they are asked again, of all Ready pods, for a pod may be Ready before it is. Once one was
        answered rightly in this run, the contract is right, whatever other pods answer. `place` is where the API stands
        in the contract, "" for the default one.

        Raises CasesNotAnswered where that goes on for AGAIN_TIMES seconds (`seatrial.trials.first_answers`).
        """
        context, contract, asked = self._context, self._context.contract, [rows]
        place = place or contract.place_of()
        refusals = [reject.status for reject in contract.limits.rejects]
        if any(row.right for row in rows):
            context.answered.add(place)
        while not context.is_planted and place not in context.answered and is_mistaken(asked[-1], refusals):
            if len(asked) > AGAIN_TIMES:
                said = mistake(place, contract.every_api()[place], cases, joined(asked))
                raise CasesNotAnswered(f"{context.contract_file}, {said}")
            context.limit.sleep(1.0)
            loads = [Lone(ASKED_AGAIN, each, tuple(cases), 0.01, AGAIN, 0.05) for each in self._ready() or [target]]
            asked.append(self.collect(self.start_now(*loads)))

    def scrape(self, *targets: PodTarget) -> tuple[Scrape, ...]:
        """Read the metrics of each pod now, by its IP; none where the contract has no `metrics`.

        These requests are in neither the sandbox's ledger nor its generator's health. Health vouches for a schedule:
        that what was offered, and how latency counts, are as planned. A scrape has none. It is asked for when a trial
        gets there, `at_s` is when it was really sent, and one that fails or is late is kept as it is, for the check
        to see.
        """
        metrics = self._context.contract.metrics
        if metrics is None:
            return ()
        ask = Exchange("scrape", "GET", metrics.path, tuple(metrics.headers.items()))
        loads = [OpenLoop(f"scrape-{to.pod}", to, (ask,), (0.01,), timeout_s=10, keep="all") for to in targets]
        rows = self.generator.start_now(loads).collect(30)
        found = tuple(Scrape(row.sent_s, row.target, row.status, row.body, row.ended_s - row.sent_s) for row in rows)
        self._scrapes.extend(found)
        return found

    def finish(self) -> None:
        """Stop whatever is still sent, and collect it."""
        for run in self._runs:
            run.stop()
        for run in self._runs:
            if run.name not in self._ledgers:
                self.collect(run)

    def close(self) -> None:
        """Let the generators go."""
        if self._generator:
            self._generator.close()

    @property
    def ledger(self) -> Ledger:
        """Everything collected so far."""
        return joined(self._ledgers.values())

    @property
    def scrapes(self) -> tuple[Scrape, ...]:
        """Every scrape so far."""
        return tuple(self._scrapes)

    def health(self) -> GeneratorHealth:
        """Whether the generators kept their schedule; of one that sent nothing, there is nothing to tell."""
        if not self._runs:
            return GeneratorHealth(0, 0, 0.0, 0.0, 0.0, 0.0)
        health = self.generator.health(*self._runs)
        bound_s = max(health.lag_p99_bound_s, self.lone_s / 10)
        return replace(health, lag_p99_bound_s=bound_s)


def answers_in(rows: Ledger) -> int:
    """How many attempts were answered, whatever the answer."""
    return int((rows.error == rows.code("")).sum())


def lone_latency_s(rows: Ledger) -> float:
    """The median latency of requests that had a replica to themselves; NaN without any."""
    return float(np.nanmedian(rows.ended_s - rows.sent_s)) if len(rows) else float("nan")
