"""HorizontalPodAutoscalers: every 15 s, the replicas that the metrics ask for.

Source: kubernetes/pkg/controller/podautoscaler/horizontal.go. The arithmetic: replica_calculator.py. Windows and
policies: scaling_behavior.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from seatrial.clusters.local.api.hooks import PodUsage
from seatrial.clusters.local.controllers import replica_calculator, scaling_behavior
from seatrial.clusters.local.controllers.controller import MANAGER, Controller
from seatrial.clusters.local.controllers.events import Recorder
from seatrial.clusters.local.controllers.objects import Key, Obj, key_of, selects, uid_of, with_condition
from seatrial.clusters.local.controllers.quantity import milli, text_of
from seatrial.clusters.local.controllers.replica_calculator import MetricsUnavailable, Proposal, Sample
from seatrial.clusters.local.controllers.scaling_behavior import History
from seatrial.clusters.local.store import Event, Store, StoreError, timestamp

SYNC_S = 15.0
SCALABLE = {"Deployment": "deployments", "ReplicaSet": "replicasets", "StatefulSet": "statefulsets"}
UNABLE = "the HPA was unable to compute the replica count: "
NO_ADAPTER = {
    "Pods": ("FailedGetPodsMetric", "custom.metrics.k8s.io"),
    "Object": ("FailedGetObjectMetric", "custom.metrics.k8s.io"),
    "External": ("FailedGetExternalMetric", "external.metrics.k8s.io"),
}

Usage = Callable[[Obj], PodUsage | None]  # what a pod uses; None while nothing is known


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric of an autoscaler, read."""

    name: str  # as the conditions call it
    proposal: Proposal
    status: Obj  # for status.currentMetrics


class UnreadableMetric(Exception):
    """A metric could not be read; `reason` and `condition` go into ScalingActive."""

    def __init__(self, reason: str, condition: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.condition = condition


class AutoscalerController(Controller):
    """Scales what HorizontalPodAutoscalers point at."""

    watches = ("horizontalpodautoscalers",)

    def __init__(self, store: Store, usage: Usage) -> None:
        super().__init__(store)
        self._usage = usage
        self._events = Recorder(store, "horizontal-pod-autoscaler")
        self._histories: dict[str, History] = {}  # by the autoscaler's uid

    def concerned(self, event: Event) -> Iterable[Key]:
        # A changed autoscaler waits for its turn like an unchanged one: one look every 15 s, the first after 15 s.
        if event.type == "DELETED":
            self._histories.pop(uid_of(event.object), None)
        elif event.type == "ADDED":
            yield key_of(event.object)

    def reconcile(self, key: Key) -> float | None:
        autoscaler = self.store.find("horizontalpodautoscalers", *key)
        if autoscaler is None:
            return None
        if uid_of(autoscaler) not in self._histories:
            self._histories[uid_of(autoscaler)] = History()
            return SYNC_S
        status = self._scaled(autoscaler, dict(autoscaler.get("status") or {}), time.time())

        def change(draft: Obj) -> None:
            draft["status"] = status

        self.store.mutate("horizontalpodautoscalers", *key, change, subresource="status", manager=MANAGER)
        return SYNC_S

    def _scaled(self, autoscaler: Obj, status: Obj, now_s: float) -> Obj:
        """Scale the target if need be; the autoscaler's new status."""
        spec, reference = autoscaler["spec"], autoscaler["spec"]["scaleTargetRef"]
        say = Conditions(status, now_s)
        target = self._target(autoscaler)
        if target is None:
            resource = SCALABLE.get(reference["kind"], reference["kind"])
            why = f'{resource} "{reference["name"]}" not found'
            message = f"the HPA controller was unable to get the target's current scale: {why}"
            say("AbleToScale", "False", "FailedGetScale", message)
            self._events.warning(autoscaler, "FailedGetScale", why)
            return status
        message = "the HPA controller was able to get the target's current scale"
        say("AbleToScale", "True", "SucceededGetScale", message)
        current = int(target["spec"].get("replicas", 1))
        status |= {"currentReplicas": int((target.get("status") or {}).get("replicas", 0))}
        history = self._histories[uid_of(autoscaler)]
        if not history.recommendations:
            history.recommendations.append((now_s, current))

        least, most = int(spec.get("minReplicas", 1)), int(spec["maxReplicas"])
        if current == 0 and least != 0:
            message = "scaling is disabled since the replica count of the target is zero"
            say("ScalingActive", "False", "ScalingDisabled", message)
            desired, why = 0, ""
        elif current > most:
            desired, why = most, "Current number of replicas above Spec.MaxReplicas"
        elif current < least:
            desired, why = least, "Current number of replicas below Spec.MinReplicas"
        else:
            wanted = self._wanted(autoscaler, target, current, status, say, now_s)
            if wanted is None:
                return status
            metric, replicas = wanted
            why = f"{metric} above target" if replicas > current else "All metrics below target"
            decision = scaling_behavior.decide(spec, current, replicas, history, now_s)
            say("AbleToScale", "True", *decision.able)
            say("ScalingLimited", "True" if decision.is_limited else "False", *decision.limited)
            desired = decision.replicas
        if desired != current and self._rescale(autoscaler, target, current, desired, why, say, now_s):
            status["lastScaleTime"] = timestamp(now_s)
        status["desiredReplicas"] = desired
        return status

    def _target(self, autoscaler: Obj) -> Obj | None:
        reference = autoscaler["spec"]["scaleTargetRef"]
        resource = SCALABLE.get(reference["kind"])
        if resource is None:
            return None
        return self.store.find(resource, autoscaler["metadata"]["namespace"], reference["name"])

    # -- metrics --------------------------------------------------------------------------------------------------

    def _wanted(
        self, autoscaler: Obj, target: Obj, current: int, status: Obj, say: Conditions, now_s: float
    ) -> tuple[str, int] | None:
        """The metric that asks for most, and how many; None if no decision is possible.

        With some metrics unreadable the others can only add replicas.
        """
        namespace = autoscaler["metadata"]["namespace"]
        pods = self.store.list("pods", namespace)
        pods = [pod for pod in pods if selects(target["spec"]["selector"], pod["metadata"].get("labels"))]
        readings: list[Reading] = []
        unreadable: list[UnreadableMetric] = []
        metrics = autoscaler["spec"].get("metrics") or []
        for metric in metrics:
            try:
                readings.append(self._read(metric, current, pods, now_s))
            except UnreadableMetric as failure:
                unreadable.append(failure)
        status["currentMetrics"] = [reading.status for reading in readings] or None
        most = max(readings, key=lambda reading: reading.proposal.replicas, default=None)
        if unreadable:
            first = unreadable[0]
            self._events.warning(autoscaler, first.reason, first.condition.removeprefix(UNABLE))
            if most is None or most.proposal.replicas < current:
                say("ScalingActive", "False", first.reason, first.condition)
                counted = f"invalid metrics ({len(unreadable)} invalid out of {len(metrics)})"
                self._events.warning(autoscaler, "FailedComputeMetricsReplicas", f"{counted}, first error is: {first}")
                return None
        assert most is not None
        message = f"the HPA was able to successfully calculate a replica count from {most.name}"
        say("ScalingActive", "True", "ValidMetricFound", message)
        return most.name, most.proposal.replicas

    def _read(self, metric: Obj, current: int, pods: Sequence[Obj], now_s: float) -> Reading:
        kind = metric["type"]
        if kind in NO_ADAPTER:
            reason, group = NO_ADAPTER[kind]
            why = f"no {group.split('.')[0]} metrics API ({group}) registered"
            message = f"{UNABLE}{why}"
            raise UnreadableMetric(reason, message, why)
        source = metric["resource" if kind == "Resource" else "containerResource"]
        resource, container, target = source["name"], source.get("container"), source["target"]
        samples = self._samples(pods, resource, container)
        try:
            if target.get("averageValue") is not None:
                what, name = "usage", f"{resource} resource"
                amount = milli(target["averageValue"])
                proposal = replica_calculator.by_average(current, amount, pods, samples, resource, now_s)
            else:
                what, name = "utilization", f"{resource} resource utilization (percentage of request)"
                percent = int(target["averageUtilization"])
                proposal = replica_calculator.by_utilization(
                    current, percent, pods, samples, resource, container, now_s
                )
        except MetricsUnavailable as why:
            which = "resource" if kind == "Resource" else "container"
            text = f"failed to get {resource} {what}: {why}"
            reason = f"FailedGet{kind}Metric"
            condition = f"{UNABLE}{text}"
            raise UnreadableMetric(
                reason, condition, f"failed to get {resource} {which} metric value: {text}"
            ) from None
        return Reading(name, proposal, _metric_status(metric, proposal))

    def _samples(self, pods: Sequence[Obj], resource: str, container: str | None) -> dict[str, Sample]:
        samples = {}
        for pod in pods:
            usage = self._usage(pod)
            if usage is None or (container is not None and container not in usage.containers):
                continue
            used = [found for name, found in usage.containers.items() if container in (None, name)]
            amounts = (found.cpu_cores if resource == "cpu" else found.memory_bytes for found in used)
            amount = sum(round(amount * 1000) for amount in amounts)
            samples[pod["metadata"]["name"]] = Sample(amount, usage.at_s, usage.window_s)
        return samples

    # -- scaling --------------------------------------------------------------------------------------------------

    def _rescale(
        self, autoscaler: Obj, target: Obj, current: int, desired: int, why: str, say: Conditions, now_s: float
    ) -> bool:
        resource = SCALABLE[target["kind"]]

        def change(draft: Obj) -> None:
            draft["spec"]["replicas"] = desired

        try:
            self.store.mutate(resource, *key_of(target), change, subresource="scale", manager=MANAGER)
        except StoreError as refusal:
            message = f"the HPA controller was unable to update the target scale: {refusal}"
            say("AbleToScale", "False", "FailedUpdateScale", message)
            self._events.warning(autoscaler, "FailedRescale", f"New size: {desired}; reason: {why}; error: {refusal}")
            return False
        message = f"the HPA controller was able to update the target scale to {desired}"
        say("AbleToScale", "True", "SucceededRescale", message)
        self._events.normal(autoscaler, "SuccessfulRescale", f"New size: {desired}; reason: {why}")
        self._histories[uid_of(autoscaler)].note_scaling(current, desired, now_s)
        return True


class Conditions:
    """Says conditions into a status."""

    def __init__(self, status: Obj, now_s: float) -> None:
        self._status = status
        self._now_s = now_s

    def __call__(self, type_: str, status: str, reason: str, message: str) -> None:
        conditions = self._status.get("conditions")
        self._status["conditions"] = with_condition(conditions, type_, status, reason, message, self._now_s)


def _metric_status(metric: Obj, proposal: Proposal) -> Obj:
    current: Obj = {"averageValue": text_of(proposal.average)}
    if proposal.utilization is not None:
        current["averageUtilization"] = proposal.utilization
    if metric["type"] == "Resource":
        return {"type": "Resource", "resource": {"name": metric["resource"]["name"], "current": current}}
    source = metric["containerResource"]
    return {
        "type": "ContainerResource",
        "containerResource": {"name": source["name"], "container": source["container"], "current": current},
    }
