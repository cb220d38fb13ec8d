"""How many replicas one metric asks for.

Pure functions. Source: kubernetes/pkg/controller/podautoscaler/replica_calculator.go and metrics/utilization.go.
Amounts are in thousandths of a CPU or of a byte.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from seatrial.clusters.local.controllers.objects import Obj, condition, is_deleted, phase_of, seconds
from seatrial.clusters.local.controllers.quantity import milli

TOLERANCE = 0.1
CPU_INITIALIZATION_S = 300.0  # after its start a pod's CPU counts only if it is ready and was for a whole sample
INITIAL_READINESS_DELAY_S = 30.0  # an unready pod whose readiness changed no later than this has never been ready


class MetricsUnavailable(Exception):
    """Nothing can be said about the metric; the text is the one that Kubernetes gives."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one pod used, on average over `window_s` up to `at_s` (seconds since the epoch)."""

    amount: int
    at_s: float
    window_s: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a metric asks for. Its readings are those of the ready pods, without the damping."""

    replicas: int
    average: int
    utilization: int | None  # percent of the requests; None where the target is an amount


@dataclass(frozen=True, slots=True)
class Groups:
    """The pods of a target by how much their samples can be trusted."""

    ready: int
    unready: Sequence[str]
    missing: Sequence[str]
    ignored: Sequence[str]


def grouped(pods: Sequence[Obj], samples: Mapping[str, Sample], resource: str, now_s: float) -> Groups:
    """Sort the pods: being deleted or failed are ignored, pending and young ones are unready."""
    ready, unready, missing, ignored = 0, [], [], []
    for pod in pods:
        name = pod["metadata"]["name"]
        if is_deleted(pod) or phase_of(pod) == "Failed":
            ignored.append(name)
        elif phase_of(pod) == "Pending":
            unready.append(name)
        elif name not in samples:
            missing.append(name)
        elif resource == "cpu" and _is_young(pod, samples[name], now_s):
            unready.append(name)
        else:
            ready += 1
    return Groups(ready, unready, missing, ignored)


def _is_young(pod: Obj, sample: Sample, now_s: float) -> bool:
    """Its CPU may still be that of starting up."""
    found, started = condition(pod, "Ready"), (pod.get("status") or {}).get("startTime")
    if found is None or started is None:
        return True
    changed_s = seconds(found.get("lastTransitionTime"))
    is_unready = bool(found["status"] == "False")
    if now_s < seconds(started) + CPU_INITIALIZATION_S:
        return is_unready or sample.at_s < changed_s + sample.window_s
    return is_unready and seconds(started) + INITIAL_READINESS_DELAY_S > changed_s


def by_utilization(
    current: int,
    target_percent: int,
    pods: Sequence[Obj],
    samples: Mapping[str, Sample],
    resource: str,
    container: str | None,
    now_s: float,
) -> Proposal:
    """Replicas for a target in percent of what the pods request.

    Raises MetricsUnavailable without pods, samples or requests.
    """
    groups, amounts = _trusted(pods, samples, resource, now_s)
    requests = requests_of(pods, resource, container)
    known = {name: amount for name, amount in amounts.items() if name in requests}
    requested = sum(requests[name] for name in known)
    if requested == 0:
        raise MetricsUnavailable("no metrics returned matched known pods")
    utilization = sum(known.values()) * 100 // requested
    average = sum(known.values()) // len(known)

    def ratio_of(filled: Mapping[str, int]) -> float:
        total = sum(requests[name] for name in filled if name in requests)
        used = sum(amount for name, amount in filled.items() if name in requests)
        return (used * 100 // total) / target_percent

    full = {name: requests.get(name, 0) * max(100, target_percent) // 100 for name in groups.missing}
    replicas = _damped(current, utilization / target_percent, groups, amounts, full, ratio_of)
    return Proposal(replicas, average, utilization)


def by_average(
    current: int, target: int, pods: Sequence[Obj], samples: Mapping[str, Sample], resource: str, now_s: float
) -> Proposal:
    """Replicas for a target amount per pod. Raises MetricsUnavailable without pods or samples."""
    groups, amounts = _trusted(pods, samples, resource, now_s)
    average = sum(amounts.values()) // len(amounts)

    def ratio_of(filled: Mapping[str, int]) -> float:
        return (sum(filled.values()) // len(filled)) / target

    full = dict.fromkeys(groups.missing, target)
    return Proposal(_damped(current, average / target, groups, amounts, full, ratio_of), average, None)


def _trusted(
    pods: Sequence[Obj], samples: Mapping[str, Sample], resource: str, now_s: float
) -> tuple[Groups, dict[str, int]]:
    if not samples:
        why = "no metrics returned from resource metrics API"
        raise MetricsUnavailable(f"unable to get metrics for resource {resource}: {why}")
    if not pods:
        raise MetricsUnavailable("no pods returned by selector while calculating replica count")
    groups = grouped(pods, samples, resource, now_s)
    left_out = {*groups.ignored, *groups.unready}
    amounts = {name: sample.amount for name, sample in samples.items() if name not in left_out}
    if not amounts:
        raise MetricsUnavailable("did not receive metrics for targeted pods (pods might be unready)")
    return groups, amounts


def _damped(
    current: int,
    ratio: float,
    groups: Groups,
    amounts: Mapping[str, int],
    full: Mapping[str, int],
    ratio_of: Callable[[Mapping[str, int]], float],
) -> int:
    """The replicas for a ratio of use to target, with what is not known taken against a change.

    Missing pods use what they may (`full`) when it is about fewer replicas, nothing when it is about more;
    unready ones use nothing when it is about more. A ratio that this brings within the tolerance, or turns
    around, changes nothing.
    """
    unready_matter = bool(groups.unready) and ratio > 1.0
    if not unready_matter and not groups.missing:
        return current if within_tolerance(ratio) else math.ceil(ratio * groups.ready)
    filled = dict(amounts)
    if ratio < 1.0:
        filled |= full
    elif ratio > 1.0:
        filled |= dict.fromkeys(groups.missing, 0)
    if unready_matter:
        filled |= dict.fromkeys(groups.unready, 0)
    damped = ratio_of(filled)
    if within_tolerance(damped) or (ratio < 1.0 < damped) or (damped < 1.0 < ratio):
        return current
    replicas = math.ceil(damped * len(filled))
    turned = (damped < 1.0 and replicas > current) or (damped > 1.0 and replicas < current)
    return current if turned else replicas


def within_tolerance(ratio: float) -> bool:
    return 1.0 - TOLERANCE <= ratio <= 1.0 + TOLERANCE


def requests_of(pods: Sequence[Obj], resource: str, container: str | None) -> dict[str, int]:
    """What each pod (or its one container of that name) requests; raises MetricsUnavailable if one does not."""
    return {pod["metadata"]["name"]: _requested(pod, resource, container) for pod in pods}


def _requested(pod: Obj, resource: str, container: str | None) -> int:
    total = 0
    sidecars = [found for found in pod["spec"].get("initContainers") or () if found.get("restartPolicy") == "Always"]
    for found in (*pod["spec"]["containers"], *sidecars):
        if container is not None and found["name"] != container:
            continue
        requested = ((found.get("resources") or {}).get("requests") or {}).get(resource)
        if requested is None:
            where = f"container {found['name']} of Pod {pod['metadata']['name']}"
            raise MetricsUnavailable(f"missing request for {resource} in {where}")
        total += milli(requested)
    return total
