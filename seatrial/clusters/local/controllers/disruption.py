"""PodDisruptionBudgets: how many pods may be lost on purpose now, and whether one eviction is among them.

Source: kubernetes/pkg/controller/disruption and pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from seatrial.clusters.local.api.errors import StoreError
from seatrial.clusters.local.controllers.controller import MANAGER, Controller
from seatrial.clusters.local.controllers.objects import (
    Key,
    Obj,
    condition,
    controller_of,
    is_deleted,
    is_finished,
    is_ready,
    key_of,
    phase_of,
    scaled,
    seconds,
    selects,
    with_condition,
)
from seatrial.clusters.local.store import Event, Store, timestamp

EVICTED_IS_GONE_WITHIN_S = 120.0  # else the eviction no longer counts as under way
SCALED_KINDS = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "Deployment": "deployments"}


class DisruptionController(Controller):
    """Keeps the status of PodDisruptionBudgets."""

    watches = ("poddisruptionbudgets", "pods", "replicasets", "deployments", "statefulsets")

    def concerned(self, event: Event) -> Iterable[Key]:
        obj = event.object
        if obj["kind"] == "PodDisruptionBudget":
            yield key_of(obj)
            return
        for budget in self.store.list("poddisruptionbudgets", obj["metadata"]["namespace"]):
            # A change of scale changes what a percentage means, whichever pods it is about.
            if obj["kind"] != "Pod" or selects(budget["spec"].get("selector"), obj["metadata"].get("labels")):
                yield key_of(budget)

    def reconcile(self, key: Key) -> float | None:
        budget = self.store.find("poddisruptionbudgets", *key)
        if budget is None or is_deleted(budget):
            return None
        selector = budget["spec"].get("selector")
        pods = [pod for pod in self.store.list("pods", key[0]) if selects(selector, pod["metadata"].get("labels"))]
        now_s = time.time()
        status = status_of(budget, pods, expected_scale(self.store, pods), now_s)

        def change(draft: Obj) -> None:
            draft["status"] = status

        self.store.mutate("poddisruptionbudgets", *key, change, subresource="status", manager=MANAGER)
        ends = [seconds(at) + EVICTED_IS_GONE_WITHIN_S - now_s for at in status.get("disruptedPods", {}).values()]
        return min(ends) + 1.0 if ends else None


def expected_scale(store: Store, pods: Iterable[Obj]) -> int:
    """How many replicas the controllers of these pods want, each controller counted once."""
    wanted: dict[str, int] = {}
    for pod in pods:
        owner = controller_of(pod)
        namespace = pod["metadata"]["namespace"]
        while owner is not None and owner["kind"] in SCALED_KINDS:
            found = store.find(SCALED_KINDS[owner["kind"]], namespace, owner["name"])
            above = controller_of(found) if found is not None else None
            if above is None or above["kind"] not in SCALED_KINDS:
                if found is not None:
                    wanted[owner["uid"]] = found["spec"].get("replicas", 1)
                break
            owner = above
    return sum(wanted.values())


def status_of(budget: Obj, pods: Sequence[Obj], scale: int, now_s: float) -> Obj:
    """The status of a budget over its `pods`, whose controllers want `scale` replicas."""
    expected, desired = _expected_and_desired(budget["spec"], len(pods), scale)
    disrupted = _still_disrupted((budget.get("status") or {}).get("disruptedPods") or {}, pods, now_s)
    healthy = sum(is_ready(pod) for pod in pods if not is_deleted(pod) and pod["metadata"]["name"] not in disrupted)
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    return {
        "observedGeneration": budget["metadata"].get("generation", 1),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        **({"disruptedPods": disrupted} if disrupted else {}),
        "conditions": _allowed_condition(budget, allowed, now_s),
    }


def _expected_and_desired(spec: Mapping[str, int | str], pods: int, scale: int) -> tuple[int, int]:
    if spec.get("maxUnavailable") is not None:
        return scale, max(scale - scaled(spec["maxUnavailable"], scale, up=True), 0)
    least = spec.get("minAvailable", 1)
    if isinstance(least, int):
        return pods, least
    return scale, scaled(least, scale, up=True)


def _still_disrupted(disrupted: Mapping[str, str], pods: Iterable[Obj], now_s: float) -> dict[str, str]:
    """The pods whose eviction was granted and whose deletion has not shown yet."""
    waiting = {pod["metadata"]["name"] for pod in pods if not is_deleted(pod) and not is_finished(pod)}
    return {
        name: at for name, at in disrupted.items() if name in waiting and now_s < seconds(at) + EVICTED_IS_GONE_WITHIN_S
    }


def _allowed_condition(budget: Obj, allowed: int, now_s: float) -> list[Obj]:
    status, reason = ("True", "SufficientPods") if allowed > 0 else ("False", "InsufficientPods")
    conditions = with_condition(
        (budget.get("status") or {}).get("conditions"), "DisruptionAllowed", status, reason, "", now_s
    )
    generation = budget["metadata"].get("generation", 1)
    return [found | {"observedGeneration": generation} for found in conditions]


def refuse_eviction(store: Store, pod: Obj) -> None:
    """Let one eviction of `pod` happen and take it off its budget, or raise StoreError.

    429 with the cause DisruptionBudget while the budget is spent, 500 for a pod with several budgets. Pods
    that do not serve (pending, finished, already deleted) are never protected, unready ones only while
    their application is below its budget anyway.
    """
    if phase_of(pod) in ("Pending", "Succeeded", "Failed") or is_deleted(pod):
        return
    namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels")
    budgets = [
        found
        for found in store.list("poddisruptionbudgets", namespace)
        if selects(found["spec"].get("selector"), labels)
    ]
    if len(budgets) > 1:
        raise StoreError(
            500,
            "",
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        )
    if budgets and not _may_go_unready(budgets[0], pod):
        _spend(store, budgets[0], pod)
    store.mutate("pods", namespace, pod["metadata"]["name"], _mark_evicted, subresource="status", manager=MANAGER)


def _may_go_unready(budget: Obj, pod: Obj) -> bool:
    if is_ready(pod):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired = status.get("desiredHealthy", 0)
    return bool(0 < desired <= status.get("currentHealthy", 0))


def _spend(store: Store, budget: Obj, pod: Obj) -> None:
    status = budget.get("status") or {}
    name = budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 1):
        raise _too_many(f"The disruption budget {name} is still being processed by the server.")
    if status["disruptionsAllowed"] <= 0:
        needed, found = status["desiredHealthy"], status["currentHealthy"]
        raise _too_many(f"The disruption budget {name} needs {needed} healthy pods and has {found} currently")

    def change(draft: Obj) -> None:
        spent = draft["status"]
        spent["disruptionsAllowed"] -= 1
        spent.setdefault("disruptedPods", {})[pod["metadata"]["name"]] = timestamp()
        spent["conditions"] = _allowed_condition(draft, spent["disruptionsAllowed"], time.time())

    store.mutate("poddisruptionbudgets", *key_of(budget), change, subresource="status", manager=MANAGER)


def _too_many(cause: str) -> StoreError:
    return StoreError(
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
        {"causes": [{"reason": "DisruptionBudget", "message": cause}]},
    )


def _mark_evicted(draft: Obj) -> None:
    if condition(draft, "DisruptionTarget") is None:
        status = draft.setdefault("status", {})
        status["conditions"] = with_condition(
            status.get("conditions"),
            "DisruptionTarget",
            "True",
            "EvictionByEvictionAPI",
            "Eviction API: evicting",
            time.time(),
        )
