"""Load that needs two replicas, then load that needs more than the autoscaler may give.

From the fewest replicas: idle, then a light load that tells what one request costs, then 0.6 more than the fewest
carry at target, and 45 s after the new pod is Ready half as much again as the most carry. Arrivals are evenly spaced,
for it is a ratio that is judged and Poisson counts of a few a second would blur it. CPU is read from the metrics API
by ourselves throughout. Source: contract `autoscaling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial.contract import Autoscaling
from seatrial.errors import ClusterError
from seatrial.observation import Change, Observation, Pod, Workload
from seatrial.traffic.fleet import FleetRun
from seatrial.traffic.plan import OpenLoop
from seatrial.trials import workload
from seatrial.trials.ablation import Ablation
from seatrial.trials.context import TrialContext
from seatrial.trials.sandbox import Sandbox
from seatrial.trials.trial import trial
from seatrial.watch.autoscaler import Sync, autoscalers, ready_since_s, replica_changes, syncs
from seatrial.watch.cpu import PERIOD_S, CpuReader, CpuReading, cores
from seatrial.watch.ownership import pods_of
from seatrial.watch.pods import living, ready_pods

SETTLED_S = 45.0  # a pod counts when it has been Ready this long
CALIBRATION = 0.5  # of the target, by declaration: light enough not to scale, if the declaration is half wrong
FIRST_STEP, SECOND_STEP = 0.6, 1.5  # above the fewest replicas; times the most
LATELY_S = 15.0  # a sample is that old at most before the next replaces it
MOST_CHEAPER = 4.0  # than declared
CALIBRATE = "calibrate"
FIRST_CASES = 3  # to see that cases are answered, before a minute of idling
LOAD_FOR_S = 400.0  # longer than any step; stopped with it
REQUEST_WITHIN_S = 30.0

NO_LOAD = Ablation("no load")


@dataclass(frozen=True, slots=True)
class Windows:
    """For how long the autoscaler is waited for, at most, and its new pods before the next step."""

    settled_s: float = SETTLED_S
    idle_most_s: float = 90.0
    calibration_most_s: float = 75.0
    samples: int = 2  # of each pod's CPU, under the light load
    reaction_most_s: float = 90.0
    sync_most_s: float = 35.0  # two syncs and a little


@dataclass(frozen=True, slots=True)
class Step:
    """A load of evenly spaced requests on top of those before, and what all together ask for."""

    load: str
    carried: float  # in what one replica carries at target
    offered_rps: float  # by this load alone
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Scaling(Observation):
    """One release under its autoscaler. Cores are NaN where they could not be read."""

    load_s: float = 0.0  # when the first step began, or the idle phase ended without one
    cpu_request_cores: float = float("nan")  # of the subject's container
    idle_cores: float = float("nan")  # of one replica
    cpu_s_per_request: float = float("nan")  # as measured
    steps: tuple[Step, ...] = ()
    readings: tuple[CpuReading, ...] = ()  # of the subject's namespace
    beacon: tuple[CpuReading, ...] = ()


@trial("autoscaling", promise=Autoscaling, timed=False, order=15, lasts_s=280)
def autoscaling(context: TrialContext, *, windows: Windows = Windows()) -> Scaling:
    """The fewest replicas at first; the autoscaler does the rest."""
    promise = context.contract.autoscaling
    assert promise is not None
    with (
        Sandbox(context, "scale") as sandbox,
        CpuReader(context.api, context.clock, sandbox.namespace, context.beacon_namespace) as cpu,
    ):
        sandbox.release.install(context.values(promise.values), replicas=promise.min)
        if promise.overlay:
            sandbox.release.bring(context.contract_file.parent / promise.overlay)
        sandbox.watch.wait(
            lambda changes: len(ready_pods(changes, sandbox.subject)) >= promise.min, context.contract.ready_within_s
        )
        pods = sandbox.workload().pods()  # a chart that renders more than the fewest is for the check to see
        if not pods:
            raise ClusterError(f"{sandbox.namespace}: expected {promise.min} Ready pods, found none; see its timeline")
        sandbox.traffic.measure_lone(
            sandbox.workload().target(pods[0]), workload.cases(context.contract), count=FIRST_CASES
        )
        ready_s = sandbox.now()
        request_cores = cpu_request_cores(pods[0], context.contract.subject.container)
        idle_cores = _idle(sandbox, cpu, ready_s, windows)
        cost_s = float("nan")
        steps: tuple[Step, ...] = ()
        load_s = sandbox.now()
        if request_cores > 0 and is_active(sandbox.watch.changes(), sandbox.subject):
            target_cores = promise.cpu_percent / 100 * request_cores
            light_rps = CALIBRATION * promise.min * target_cores / promise.cpu_s_per_request
            cost_s = _calibrate(sandbox, cpu, light_rps, idle_cores, windows)
            one_rps = carried_rps(promise, target_cores, idle_cores, cost_s)
            load_s = sandbox.now()
            if not context.withholds(NO_LOAD):
                steps = _steps(sandbox, promise, one_rps, windows)
        common = sandbox.seen()
    readings = cpu.readings()
    return Scaling(
        **common,
        load_s=load_s,
        cpu_request_cores=request_cores,
        idle_cores=idle_cores,
        cpu_s_per_request=cost_s,
        steps=steps,
        readings=of_subject(readings, common["namespace"], common["timeline"].changes, common["subject"]),
        beacon=tuple(reading for reading in readings if reading.namespace == context.beacon_namespace),
    )


def cpu_request_cores(pod: Pod, container: str) -> float:
    """What the subject's container asks for; 0 where it asks for nothing."""
    chosen = next(each for each in pod.spec["containers"] if container in ("", each["name"]))
    request = (chosen.get("resources") or {}).get("requests") or {}
    return cores(str(request["cpu"])) if "cpu" in request else 0.0


def carried_rps(promise: Autoscaling, target_cores: float, idle_cores: float, cost_s: float) -> float:
    """What one replica carries at target: by the measured cost of a request, else by the declared one."""
    if not cost_s > 0:
        return target_cores / promise.cpu_s_per_request
    # A metric that does not follow load would make a request look free, and the load without bounds.
    return (target_cores - idle_cores) / max(cost_s, promise.cpu_s_per_request / MOST_CHEAPER)


def is_active(changes: Sequence[Change], workload: Workload) -> bool:
    """Some autoscaler of the workload can read its metric."""
    return any(seen[-1].active for name in autoscalers(changes, workload) if (seen := syncs(changes, name)))


def _idle(sandbox: Sandbox, cpu: CpuReader, ready_s: float, windows: Windows) -> float:
    """Wait until the pods count, the autoscaler reads them, and their idle CPU is known; cores of one."""
    sandbox.sleep_until(ready_s + windows.settled_s)
    end_s = ready_s + windows.idle_most_s
    sandbox.watch.wait(lambda changes: is_active(changes, sandbox.subject), end_s - sandbox.now())
    cpu.wait(lambda readings: bool(_since(readings, sandbox, ready_s + 1)), max(0.0, end_s - sandbox.now()))
    idle = _since(cpu.readings(), sandbox, ready_s + 1)
    return float(np.mean([reading.total_cores for reading in idle])) if idle else float("nan")


def _since(readings: Sequence[CpuReading], sandbox: Sandbox, start_s: float) -> list[CpuReading]:
    """The samples of the subject's pods whose whole window lies after start_s, each once."""
    own = of_subject(readings, sandbox.namespace, sandbox.watch.changes(), sandbox.subject)
    return list({(reading.pod, reading.to_s): reading for reading in own if reading.from_s >= start_s}.values())


def of_subject(
    readings: Sequence[CpuReading], namespace: str, changes: Sequence[Change], subject: Workload
) -> tuple[CpuReading, ...]:
    """The readings of the subject's own pods: what a database beside it uses says nothing about it."""
    own = pods_of(changes, subject)
    return tuple(reading for reading in readings if reading.namespace == namespace and reading.pod in own)


def _calibrate(sandbox: Sandbox, cpu: CpuReader, rps: float, idle_cores: float, windows: Windows) -> float:
    """CPU seconds that one request costs, from a light load; NaN where it cannot be told."""
    run = _load(sandbox, CALIBRATE, rps)
    start_s = sandbox.now() + 1.0
    pods = len(sandbox.workload().pods())
    wanted = windows.samples * pods
    cpu.wait(lambda readings: len(_since(readings, sandbox, start_s)) >= wanted, windows.calibration_most_s)
    run.stop()
    sandbox.traffic.collect(run)
    samples = _since(cpu.readings(), sandbox, start_s)
    used_cores = pods * (float(np.mean([sample.total_cores for sample in samples])) - idle_cores) if samples else 0.0
    return used_cores / rps if used_cores > 0 else float("nan")


def _load(sandbox: Sandbox, name: str, rps: float) -> FleetRun:
    cases = workload.cases(sandbox.context.contract)
    arrivals_s = workload.steps(0.1, LOAD_FOR_S, 1 / rps)
    picks = workload.in_turn(len(arrivals_s), len(cases))
    return sandbox.traffic.start_now(
        OpenLoop(name, sandbox.workload().service(), cases, arrivals_s, picks, timeout_s=REQUEST_WITHIN_S)
    )


def _steps(sandbox: Sandbox, promise: Autoscaling, one_rps: float, windows: Windows) -> tuple[Step, ...]:
    """Both steps; only the first where nothing comes of it."""
    contract, runs, steps = sandbox.context.contract, [], []
    carried_before = 0.0
    for name, carried, replicas in (
        ("step-1", promise.min + FIRST_STEP, promise.min + 1),
        ("step-2", SECOND_STEP * promise.max, promise.max),
    ):
        start_s = sandbox.watch.mark(name)
        runs.append(_load(sandbox, name, (carried - carried_before) * one_rps))
        steps.append((name, carried, (carried - carried_before) * one_rps, start_s))
        carried_before = carried

        def asked(changes: tuple[Change, ...], replicas: int = replicas) -> bool:
            return replica_changes(changes, sandbox.subject)[-1].replicas >= replicas

        if not sandbox.watch.wait(asked, windows.reaction_most_s):
            break

        def ready(changes: tuple[Change, ...], replicas: int = replicas) -> bool:
            return len(ready_pods(changes, sandbox.subject)) >= replicas

        sandbox.watch.wait(ready, contract.ready_within_s)
        sandbox.sleep_until(sandbox.now() + windows.settled_s)
        settled_s = sandbox.now()

        def synced(changes: tuple[Change, ...], settled_s: float = settled_s) -> bool:
            return _synced_since(changes, sandbox.subject, settled_s)

        sandbox.watch.wait(synced, windows.sync_most_s)
    for run in runs:
        run.stop()
    end_s = sandbox.now()
    for run in runs:
        sandbox.traffic.collect(run)
    return tuple(Step(*step, end_s) for step in steps)


def _synced_since(changes: Sequence[Change], workload: Workload, at_s: float) -> bool:
    return any(sync.at_s > at_s for name in autoscalers(changes, workload) for sync in syncs(changes, name))


def seen_syncs(scaling: Scaling) -> tuple[Sync, ...]:
    """Every sync of the subject's autoscalers, in order of arrival."""
    changes = scaling.timeline.changes
    found = [sync for name in autoscalers(changes, scaling.subject) for sync in syncs(changes, name)]
    return tuple(sorted(found, key=lambda sync: sync.at_s))


def judgeable(scaling: Scaling, sync: Sync) -> bool:
    """Every counted pod has been Ready for long and has a metric; the count is steady, and only bounds limit it."""
    return not sync.limited and settled(scaling, sync)


def settled(scaling: Scaling, sync: Sync) -> bool:
    """Every counted pod has been Ready for long and has a metric, and the count is steady."""
    if sync.percent is None or not sync.steady or not sync.active:
        return False
    changes = [change for change in scaling.timeline.changes if change.at_s <= sync.at_s]
    pods = living(changes, scaling.subject)
    measured = {reading.pod for reading in _lately(scaling, sync)}
    return len(pods) == sync.current and all(
        (since_s := ready_since_s(changes, pod)) is not None and sync.at_s - since_s >= SETTLED_S and pod in measured
        for pod in pods
    )


def own_percent(scaling: Scaling, sync: Sync) -> tuple[float, ...]:
    """CPU of the subject's pods over what they ask for, in percent, at each of our last readings before a sync."""
    changes = [change for change in scaling.timeline.changes if change.at_s <= sync.at_s]
    pods = living(changes, scaling.subject)
    asked = {name: requested_cores(pod, sync.container) for name, pod in pods.items()}
    found: list[float] = []
    recent = _lately(scaling, sync)
    for at_s in sorted({round(reading.at_s, 1) for reading in recent}):
        batch = [reading for reading in recent if round(reading.at_s, 1) == at_s and reading.pod in pods]
        if len(batch) == len(pods) and all(asked.values()):
            used = sum(r.cores.get(sync.container, 0.0) if sync.container else r.total_cores for r in batch)
            found.append(100 * used / sum(asked.values()))
    return tuple(dict.fromkeys(found))


def _lately(scaling: Scaling, sync: Sync) -> list[CpuReading]:
    """Our readings in the time in which the autoscaler's own sample was current."""
    return [reading for reading in scaling.readings if sync.at_s - LATELY_S <= reading.at_s <= sync.at_s + PERIOD_S]


def requested_cores(pod: Mapping[str, Any], container: str) -> float:
    """What a container of a pod asks for, or all of them where none is named; 0 where one of these asks for nothing."""
    asked = [
        (each.get("resources") or {}).get("requests", {}).get("cpu")
        for each in pod["spec"]["containers"]
        if container in ("", each["name"])
    ]
    return sum(cores(str(each)) for each in asked) if all(asked) else 0.0
