"""Saturate the rate limit of one replica at two configured rates, and take its Retry-After at its word.

Source: contract `limits.rate`: a token bucket of `burst` tokens, refilled at `per_second`; RFC 9110, Retry-After.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace

from seatrial.contract import Governed, RateLimit, governed, merged, placed
from seatrial.ledger import Ledger
from seatrial.observation import Observation, Pod
from seatrial.stats.buckets import FEWEST_EXPECTED
from seatrial.traffic.arrivals import poisson
from seatrial.traffic.fleet import FleetRun
from seatrial.traffic.plan import OpenLoop
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation, thinned, without
from seatrial.trials.changed_setting import changed
from seatrial.trials.context import TrialContext
from seatrial.trials.first_answers import ASKED_AGAIN
from seatrial.trials.sandbox import Sandbox
from seatrial.trials.sandbox.traffic import LONE
from seatrial.trials.silent_wait import EXHAUST, RETRY, SEARCH, Limiter, Patience, silent_wait
from seatrial.trials.slots import slots_of
from seatrial.trials.slow_refill import SLOW_PER_SECOND, SlowRefill, slow_release
from seatrial.trials.together import together
from seatrial.trials.trial import trial

DEMAND = 3.6  # times the configured rate; the oracle needs 3
HONEST_ROUNDS = 10
PROBE_RPS = 20.0
REPLICAS = 2
SATURATE, FLOOD = "saturate", "flood"

NO_FLOOD = Ablation("the rate limit is left alone", without(FLOOD))
NOT_EXHAUSTED = Ablation("the limiter is not exhausted", thinned(0.05, EXHAUST, SATURATE, FLOOD))
THIRD_OF_THE_DEMAND = Ablation("a third of the demand", thinned(0.34, SATURATE))


@dataclass(frozen=True, slots=True)
class Windows:
    """How long the limit is saturated, how often its promises are taken at their word, how often pods are probed."""

    saturated_s: float = 20.0
    honest_rounds: int = HONEST_ROUNDS
    search_rounds: int = 5
    slow_rounds: int = 4
    probes: int = 120  # the check takes 100; the rest are for those beside which nothing was refused in time


@dataclass(frozen=True, slots=True)
class Window:
    """One configured rate under saturation; `index` is the group of its rows in load `saturate`."""

    index: int
    pod: str
    per_second: float
    burst: float
    start_s: float
    end_s: float
    replaced: bool = True  # the pods from before the change to this rate; False: it may not have reached them
    since_first: bool = False  # the ledger has all that its pod was asked, from the first request on; else not known


@dataclass(frozen=True, slots=True)
class RateLimited(Observation):
    """Two saturated windows, the waits, at a third rate, too, and probes sent while the bucket was empty."""

    windows: tuple[Window, ...] = ()
    waits: tuple[Patience, ...] = ()
    probed: tuple[str, ...] = ()  # the pods that were probed while exhausted
    slots: int | None = None  # the concurrency limit of these releases, where one is in force
    slow: SlowRefill | None = None  # None: not tried, for no value governs the rate, or it is as slow itself

    def asked(self, window: Window) -> Ledger:
        """The cases that took tokens of a window's bucket, or may have: all that are known, until its end."""
        if not window.since_first:
            return self.ledger.of(SATURATE).in_group(window.index)
        cases = self.ledger.of(LONE, ASKED_AGAIN, SATURATE, EXHAUST, RETRY, SEARCH, FLOOD).answered_by(window.pod)
        return cases.select(cases.sent_s <= window.end_s)


@trial("rate-limit", promise=RateLimit, order=40, lasts_s=84)
def rate_limit(context: TrialContext, *, windows: Windows = Windows()) -> RateLimited:
    """Two replicas; the limit is the replica's own, so that one pod's address is loaded."""
    limit = context.contract.limits.rate
    assert limit is not None
    rate, burst = float(limit.per_second), float(limit.burst)
    # The one that is closed last: a trial that is stopped keeps what the first saw.
    with ExitStack() as beside, Sandbox(context, "rate") as sandbox:
        values = _values(context, limit, 1.0)
        sandbox.release.install(values, replicas=REPLICAS)
        pods = sandbox.workload().wait_pods(REPLICAS, context.contract.ready_within_s)
        sandbox.traffic.measure_lone(
            sandbox.workload().target(pods[0]), workload.cases(context.contract), count=int(min(12, burst))
        )
        sandbox.sleep_until(sandbox.now() + burst / rate + 0.5)
        run, window = _saturate(sandbox, pods[0], 0, rate, burst, windows.saturated_s)
        sandbox.traffic.collect(run)
        saturated, slow, waited_slowly = [window], None, None
        sandbox.note(windows=tuple(saturated))
        waits = _rounds_of_waiting(sandbox, pods[0], rate, burst, windows)
        sandbox.note(waits=tuple(waits))
        probed = _probe(sandbox, pods, rate, burst, windows)
        sandbox.note(probed=probed)
        if isinstance(limit.per_second, Governed):
            if rate > SLOW_PER_SECOND:
                slow = slow_release(beside, context, _values(context, limit, SLOW_PER_SECOND / rate))
            after = changed(sandbox, _values(context, limit, 2.0), pods, REPLICAS)
            run, window = _saturate(sandbox, after.pods[0], 1, 2 * rate, burst, windows.saturated_s)
            if slow:
                waited_slowly = slow.taken_at_its_word(sandbox, burst, windows.slow_rounds)
                sandbox.note(slow=waited_slowly)
            sandbox.traffic.collect(run)
            # A bucket of before has a past at another rate.
            saturated.append(replace(window, replaced=after.replaced, since_first=after.replaced))
        seen = [each.seen() for each in (sandbox, slow and slow.sandbox) if each]
        return RateLimited(
            **together("rate-limit", seen),
            windows=tuple(saturated),
            waits=tuple(waits),
            probed=probed,
            slots=slots_of(context, values),
            slow=waited_slowly,
        )


def _values(context: TrialContext, limit: RateLimit, factor: float) -> dict[str, object]:
    values = merged(placed(governed(limit)), limit.values)
    if isinstance(limit.per_second, Governed):
        scaled = limit.per_second.model_copy(update={"set": _scaled(limit.per_second.set, factor)})
        values = merged(values, placed(iter([scaled])))
    return context.values(values)


def _scaled(value: bool | int | float | str, factor: float) -> float | int:
    scaled = float(value) * factor
    return int(scaled) if scaled.is_integer() else scaled


def _saturate(
    sandbox: Sandbox, pod: Pod, index: int, rate: float, burst: float, for_s: float
) -> tuple[FleetRun, Window]:
    """Begin to; the run is to be collected."""
    cases = workload.cases(sandbox.context.contract)
    start_s = sandbox.now() + 0.5
    end_s = start_s + for_s
    seed = sandbox.context.random(f"rate-{index}").randrange(2**31)
    # The burst at once, then Poisson.
    at_once_s = _burst_arrivals_s(start_s, burst)
    arrivals = at_once_s + poisson(DEMAND * rate, at_once_s[-1] + 0.01, end_s, seed).tolist()
    picks, groups = workload.drawn(len(arrivals), len(cases), seed), [index] * len(arrivals)
    run = sandbox.traffic.start(
        OpenLoop(SATURATE, sandbox.workload().target(pod), cases, arrivals, picks, groups, timeout_s=15.0)
    )
    return run, Window(index, pod.name, rate, burst, start_s, end_s, since_first=True)


def _rounds_of_waiting(sandbox: Sandbox, pod: Pod, rate: float, burst: float, windows: Windows) -> list[Patience]:
    waits: list[Patience] = []
    limiter = Limiter(sandbox.workload().target(pod), rate)
    at_once = [0.003 * n for n in range(int(burst) + 10)]
    low, high = 0.0, 1.0  # of the promised wait: the true one lies between
    for index in range(windows.honest_rounds + windows.search_rounds):
        searching = index >= windows.honest_rounds
        share = (low + high) / 2 if searching else 1.0
        expected_s = waits[-1].promised_s if waits and not searching else None
        wait = silent_wait(sandbox, limiter, index, at_once, share=share, expected_s=expected_s)
        waits.append(wait)
        if searching and wait.admitted:
            high = share
        elif searching:
            low = share
    return waits


def _burst_arrivals_s(start_s: float, burst: float) -> list[float]:
    """A few more arrivals than the burst, all within the first second: what a full bucket admits at once."""
    count = int(burst) + 5
    return [start_s + min(0.002, 0.9 / count) * n for n in range(count)]


def _probe(sandbox: Sandbox, pods: tuple[Pod, ...], rate: float, burst: float, windows: Windows) -> tuple[str, ...]:
    """Probe every pod as the kubelet does while its bucket is kept empty."""
    contract = sandbox.context.contract
    cases = workload.cases(contract)
    begin_s = sandbox.now() + 0.1
    at_once_s = _burst_arrivals_s(begin_s, burst)
    start_s = at_once_s[-1] + 0.4
    # Long enough for FEWEST_EXPECTED admissions: fewer do not show a token that a probe took.
    end_s = start_s + max(windows.probes / PROBE_RPS, min(1.1 * FEWEST_EXPECTED / rate, windows.saturated_s))
    flood_rps = max(50.0, DEMAND * rate)
    loads, random = [], sandbox.context.random("probes")
    for pod in pods:
        arrivals = sorted([*at_once_s, *workload.steps(begin_s, end_s + 0.3, 1 / flood_rps)])
        picks = workload.in_turn(len(arrivals), len(cases))
        loads.append(OpenLoop(FLOOD, sandbox.workload().target(pod), cases, arrivals, picks, timeout_s=15.0))
        for kind in ("readiness", "liveness"):
            if probe := workload.probe(pod.spec, contract.subject.container, kind):
                # In step with the tokens that come back, no probe would ever find one, or each of them.
                times = [start_s + (n + random.random()) / PROBE_RPS for n in range(windows.probes)]
                ask = (probe.exchange(kind, sandbox.context.probe_agent),)
                loads.append(OpenLoop(f"probe-{kind}", probe.target(pod), ask, times, timeout_s=probe.timeout_s))
    sandbox.traffic.send(*loads)
    return tuple(pod.name for pod in pods)
