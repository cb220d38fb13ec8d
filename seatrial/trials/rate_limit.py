"""Saturate the rate limit of one replica at two configured rates, and take its Retry-After at its word.

Source: contract `limits.rate`: a token bucket of `burst` tokens, refilled at `per_second`; RFC 9110, Retry-After.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from seatrial.contract import Governed, RateLimit, governed, merged, placed
from seatrial.observation import Ledger, Pod, Request, Seen
from seatrial.traffic.arrivals import poisson
from seatrial.traffic.plan import OpenLoop
from seatrial.trials import workload
from seatrial.trials.stage import Stage
from seatrial.trials.trial import trial
from seatrial.trials.world import World

DEMAND = 3.6  # times the configured rate; the oracle needs 3
WINDOW_S = 20.0
HONEST_ROUNDS, SEARCH_ROUNDS = 10, 5
LATE_S = 0.05
PROBES, PROBE_RPS = 100, 20.0
REPLICAS = 2
SATURATE, EXHAUST, RETRY, SEARCH, FLOOD = "saturate", "exhaust", "retry", "search", "flood"


@dataclass(frozen=True, slots=True)
class Window:
    """One configured rate under saturation; `index` is the group of its rows in stream `saturate`."""

    index: int
    pod: str
    per_second: float
    burst: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Patience:
    """One silent wait after the bucket was exhausted: what was promised, what was kept, and what came of it."""

    index: int
    searched: bool  # shorter than promised, to find the true wait; else the promise itself
    promised_s: float | None  # None: no Retry-After that can be read
    waited_s: float
    admitted: bool


@dataclass(frozen=True, slots=True)
class RateLimited(Seen):
    """Two saturated windows, the waits, and probes sent while the bucket was empty."""

    windows: tuple[Window, ...] = ()
    waits: tuple[Patience, ...] = ()
    probed: tuple[str, ...] = ()  # the pods that were probed while exhausted


@trial("rate-limit", promise="limits.rate", order=40)
def rate_limit(world: World) -> RateLimited:
    """Two replicas; the limit is the replica's own, so that one pod's address is loaded."""
    limit = world.contract.limits.rate
    assert limit is not None
    rate, burst = float(limit.per_second), float(limit.burst)
    with Stage(world, "rate") as stage:
        stage.install(_values(world, limit, 1.0), replicas=REPLICAS)
        pods = stage.wait_pods(REPLICAS, world.contract.ready_within_s)
        stage.measure_lone(pods[0], workload.cases(world.contract), count=int(min(12, burst)))
        time.sleep(burst / rate + 0.5)
        windows = [_saturate(stage, pods[0], 0, rate, burst)]
        waits = _waits(stage, pods[0], burst)
        probed = _probe(stage, pods, rate)
        if isinstance(limit.per_second, Governed):
            stage.upgrade(_values(world, limit, 2.0), replicas=REPLICAS)
            stage.wait_change(lambda _: not {p.name for p in stage.pods()} & {p.name for p in pods}, 60)
            fresh = stage.wait_pods(REPLICAS, world.contract.ready_within_s)
            windows.append(_saturate(stage, fresh[0], 1, 2 * rate, burst))
        return RateLimited(**stage.seen(), windows=tuple(windows), waits=tuple(waits), probed=probed)


def _values(world: World, limit: RateLimit, factor: float) -> dict[str, object]:
    values = merged(placed(governed(limit)), limit.values)
    if isinstance(limit.per_second, Governed):
        scaled = limit.per_second.model_copy(update={"set": _scaled(limit.per_second.set, factor)})
        values = merged(values, placed(iter([scaled])))
    return world.values(values)


def _scaled(value: bool | int | float | str, factor: float) -> float | int:
    scaled = float(value) * factor
    return int(scaled) if scaled.is_integer() else scaled


def _saturate(stage: Stage, pod: Pod, index: int, rate: float, burst: float) -> Window:
    cases = workload.cases(stage.world.contract)
    start_s = stage.now() + 0.5
    end_s = start_s + WINDOW_S
    seed = stage.world.random(f"rate-{index}").randrange(2**31)
    # A crowd first, for the burst, then Poisson.
    crowd = [start_s + 0.002 * n for n in range(int(burst) + 5)]
    arrivals = crowd + poisson(DEMAND * rate, crowd[-1] + 0.01, end_s, seed).tolist()
    picks, groups = workload.drawn(len(arrivals), len(cases), seed), [index] * len(arrivals)
    stage.send(OpenLoop(SATURATE, stage.pod_target(pod), cases, arrivals, picks, groups, timeout_s=15.0))
    return Window(index, pod.name, rate, burst, start_s, end_s)


def _waits(stage: Stage, pod: Pod, burst: float) -> list[Patience]:
    waits: list[Patience] = []
    low, high = 0.0, 1.0  # of the promised wait: the true one lies between
    for index in range(HONEST_ROUNDS + SEARCH_ROUNDS):
        searching = index >= HONEST_ROUNDS
        share = (low + high) / 2 if searching else 1.0
        wait = _wait(stage, pod, index, burst, share, searching)
        waits.append(wait)
        if searching and wait.admitted:
            high = share
        elif searching:
            low = share
    return waits


def _wait(stage: Stage, pod: Pod, index: int, burst: float, share: float, searching: bool) -> Patience:
    cases, target = workload.cases(stage.world.contract), stage.pod_target(pod)
    count = int(burst) + 10
    arrivals = [0.003 * n for n in range(count)]
    picks, groups = workload.in_turn(count, len(cases)), [index] * count
    rows = stage.collect(stage.start_now(OpenLoop(EXHAUST, target, cases, arrivals, picks, groups, timeout_s=15.0)))
    refused = last_refused(rows, stage.world.contract.limits.rate)
    promised_s = promised_wait_s(refused) if refused else None
    told_s = float(refused.first_byte_s) if refused else stage.now()
    waited_s = (promised_s if promised_s is not None else 1.0) * share + (0.0 if searching else LATE_S)
    at_s = max(told_s + waited_s, stage.now() + 0.1) if not searching else told_s + waited_s
    again = stage.send(
        OpenLoop(SEARCH if searching else RETRY, target, cases[:1], (at_s,), (), (index,), timeout_s=15.0)
    )
    row = next(iter(again))
    return Patience(index, searching, promised_s, row.sent_s - told_s, row.status != _status(stage))


def _status(stage: Stage) -> int:
    limit = stage.world.contract.limits.rate
    assert limit is not None
    return limit.reject.status


def last_refused(rows: Ledger, limit: RateLimit | None) -> Request | None:
    """The refusal that was answered last, which speaks for an empty bucket."""
    if limit is None:
        return None
    refused = rows.with_status(limit.reject.status)
    return max(refused, key=lambda row: row.first_byte_s, default=None)


def promised_wait_s(row: Request) -> float | None:
    """The seconds of a Retry-After header in whole seconds; None for anything else."""
    value = json.loads(row.headers or "{}").get("retry-after", "")
    return float(value) if value.isdigit() else None


def _probe(stage: Stage, pods: tuple[Pod, ...], rate: float) -> tuple[str, ...]:
    """Probe every pod as the kubelet does while its bucket is kept empty."""
    contract = stage.world.contract
    cases = workload.cases(contract)
    start_s = stage.now() + 0.5
    end_s = start_s + PROBES / PROBE_RPS
    flood_rps = max(50.0, DEMAND * rate)
    loads = []
    for pod in pods:
        flood = workload.steps(start_s - 0.45, end_s + 0.3, 1 / flood_rps)
        crowd = [start_s - 0.45 + 0.002 * n for n in range(int(float(contract.limits.rate.burst)) + 5)]  # type: ignore[union-attr]
        arrivals = sorted([*crowd, *flood])
        picks = workload.in_turn(len(arrivals), len(cases))
        loads.append(OpenLoop(FLOOD, stage.pod_target(pod), cases, arrivals, picks, timeout_s=15.0))
        for kind in ("readiness", "liveness"):
            if probe := workload.probe(pod.spec, contract.container, kind):
                times = [start_s + n / PROBE_RPS for n in range(PROBES)]
                loads.append(
                    OpenLoop(
                        f"probe-{kind}", probe.target(pod), (probe.exchange(kind),), times, timeout_s=probe.timeout_s
                    )
                )
    stage.send(*loads)
    return tuple(pod.name for pod in pods)
