"""Which pods a StatefulSet makes and deletes next, what they look like, and what it says of itself.

Pure functions of a StatefulSet, its pods and its revisions.
Source: kubernetes/pkg/controller/statefulset, stateful_set_control.go and stateful_set_utils.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from seatrial.clusters.local.controllers import replicaset
from seatrial.clusters.local.controllers.objects import (
    Obj,
    is_available,
    is_deleted,
    is_finished,
    is_ready,
    owner_reference,
    phase_of,
)
from seatrial.clusters.local.controllers.rollout import name_of, replicas

REVISION_LABEL = "controller-revision-hash"
POD_NAME_LABEL, POD_INDEX_LABEL = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now; what comes after it is decided anew when it has happened."""

    create: tuple[int, ...] = ()  # ordinals
    delete: tuple[Obj, ...] = ()
    condemned: bool = False  # what is deleted does not come back


def ordinals_of(stateful_set: Obj) -> range:
    """The ordinals that should have a pod."""
    start = int((stateful_set["spec"].get("ordinals") or {}).get("start", 0))
    return range(start, start + replicas(stateful_set))


def ordinal_of(stateful_set: Obj, pod: Obj) -> int | None:
    """The ordinal in a pod's name; None where the name is not one of this StatefulSet's."""
    parent, _, ordinal = name_of(pod).rpartition("-")
    return int(ordinal) if parent == name_of(stateful_set) and ordinal.isdecimal() else None


def partition_of(stateful_set: Obj) -> int:
    """How many pods, counted from the first, keep the revision before an update."""
    return int((_strategy(stateful_set).get("rollingUpdate") or {}).get("partition") or 0)


def is_rolling(stateful_set: Obj) -> bool:
    return bool(_strategy(stateful_set).get("type", "RollingUpdate") == "RollingUpdate")


def _strategy(stateful_set: Obj) -> Obj:
    return stateful_set["spec"].get("updateStrategy") or {}


# -- the next step ------------------------------------------------------------------------------------------------


def next_step(stateful_set: Obj, pods: Sequence[Obj], update: str, now_s: float) -> Step:
    """Ordinals are filled from the lowest on, then surplus pods go from the highest, then old ones are replaced.

    In order, the policy OrderedReady, each waits until all before it are available: a pod that never is holds up
    everything, its own replacement too. `update` is the name of the revision that is to be.
    """
    by_ordinal = {ordinal: pod for pod in pods if (ordinal := ordinal_of(stateful_set, pod)) is not None}
    in_order = stateful_set["spec"].get("podManagementPolicy", "OrderedReady") != "Parallel"
    min_ready_s = stateful_set["spec"].get("minReadySeconds", 0)

    def healthy(pod: Obj | None) -> bool:
        return (
            pod is not None
            and phase_of(pod) == "Running"
            and not is_deleted(pod)
            and is_available(pod, min_ready_s, now_s)
        )

    wanted = ordinals_of(stateful_set)
    missing = tuple(ordinal for ordinal in wanted if ordinal not in by_ordinal)
    ended = tuple(
        by_ordinal[ordinal]
        for ordinal in wanted
        if ordinal in by_ordinal and is_finished(by_ordinal[ordinal]) and not is_deleted(by_ordinal[ordinal])
    )
    if in_order:
        first = next((ordinal for ordinal in wanted if not healthy(by_ordinal.get(ordinal))), None)
        if first is not None:
            return Step(
                tuple(ordinal for ordinal in missing if ordinal == first),
                tuple(pod for pod in ended if pod is by_ordinal.get(first)),
            )
    elif missing or ended:
        return Step(missing, ended)

    surplus = {ordinal: by_ordinal[ordinal] for ordinal in sorted(by_ordinal, reverse=True) if ordinal not in wanted}
    if surplus and in_order:
        return _last_of(surplus, [ordinal for ordinal, pod in surplus.items() if not healthy(pod)])
    if going := tuple(pod for pod in surplus.values() if not is_deleted(pod)):
        return Step(delete=going, condemned=True)

    if is_rolling(stateful_set):
        for ordinal in reversed(wanted[partition_of(stateful_set) :]):
            pod = by_ordinal.get(ordinal)
            if pod is not None and revision_of(pod) != update and not is_deleted(pod):
                return Step(delete=(pod,))
            if not healthy(pod):
                break
    return Step()


def _last_of(surplus: Mapping[int, Obj], unhealthy: Sequence[int]) -> Step:
    """The one with the highest ordinal, unless one below it is not available."""
    last, pod = next(iter(surplus.items()))
    waits = is_deleted(pod) or (last in unhealthy and last != min(unhealthy))
    return Step() if waits else Step(delete=(pod,), condemned=True)


# -- pods and claims ----------------------------------------------------------------------------------------------


def revision_of(pod: Obj) -> str:
    """The name of the revision that a pod was made of."""
    return str((pod["metadata"].get("labels") or {}).get(REVISION_LABEL, ""))


def pod_of(stateful_set: Obj, revision: str, template: Obj, ordinal: int) -> Obj:
    """The pod of an ordinal: its name is its hostname below the Service, its claims are its own."""
    pod = replicaset.pod_of({**stateful_set, "spec": {"template": template}})
    metadata, name = pod["metadata"], f"{name_of(stateful_set)}-{ordinal}"
    del metadata["generateName"]
    metadata["name"] = name
    metadata["labels"] = {
        **metadata.get("labels", {}),
        REVISION_LABEL: revision,
        POD_NAME_LABEL: name,
        POD_INDEX_LABEL: str(ordinal),
    }
    claimed = {
        claim["metadata"]["name"]: {"claimName": name_of(made)}
        for claim, made in zip(_claim_templates(stateful_set), claims_of(stateful_set, ordinal), strict=True)
    }
    volumes = [volume for volume in template["spec"].get("volumes") or () if volume["name"] not in claimed]
    volumes += [{"name": volume, "persistentVolumeClaim": source} for volume, source in claimed.items()]
    service = stateful_set["spec"].get("serviceName")
    pod["spec"] = {
        **template["spec"],
        "hostname": name,
        **({"subdomain": service} if service else {}),
        **({"volumes": volumes} if volumes else {}),
    }
    return pod


def claims_of(stateful_set: Obj, ordinal: int) -> list[Obj]:
    """The claims of an ordinal's pod, `TEMPLATE-SET-ORDINAL`; they go with the StatefulSet only if it says so."""
    selector = stateful_set["spec"]["selector"].get("matchLabels") or {}
    kept = retention(stateful_set, "whenDeleted") == "Retain"
    return [
        {
            "metadata": {
                **{key: value for key, value in claim["metadata"].items() if key in ("labels", "annotations")},
                "name": f"{claim['metadata']['name']}-{name_of(stateful_set)}-{ordinal}",
                "namespace": stateful_set["metadata"]["namespace"],
                "labels": {**(claim["metadata"].get("labels") or {}), **selector},
                **({} if kept else {"ownerReferences": [owner_reference(stateful_set)]}),
            },
            "spec": claim["spec"],
        }
        for claim in _claim_templates(stateful_set)
    ]


def retention(stateful_set: Obj, when: str) -> str:
    """What becomes of claims, `whenDeleted` or `whenScaled`: Retain or Delete."""
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return str(policy.get(when, "Retain"))


def _claim_templates(stateful_set: Obj) -> Iterable[Obj]:
    return stateful_set["spec"].get("volumeClaimTemplates") or ()


# -- status -------------------------------------------------------------------------------------------------------


def status_of(stateful_set: Obj, pods: Sequence[Obj], current: str, update: str, now_s: float) -> Obj:
    """The counts and the names of both revisions; an update is over when all pods are of it and ready."""
    min_ready_s = stateful_set["spec"].get("minReadySeconds", 0)
    living = [pod for pod in pods if not is_deleted(pod)]
    running = [pod for pod in pods if phase_of(pod) == "Running"]
    updated = sum(revision_of(pod) == update for pod in living)
    ready = sum(is_ready(pod) for pod in running)
    if is_rolling(stateful_set) and updated == ready == len(pods) == replicas(stateful_set):
        current = update
    counts = {
        "readyReplicas": ready,
        "currentReplicas": sum(revision_of(pod) == current for pod in living),
        "updatedReplicas": updated,
    }
    return {
        "observedGeneration": stateful_set["metadata"].get("generation", 1),
        "replicas": len(pods),
        "availableReplicas": sum(is_available(pod, min_ready_s, now_s) for pod in running),
        **{field: count for field, count in counts.items() if count},
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": 0,
    }


def obsolete(stateful_set: Obj, revisions: Sequence[Obj], live: set[str]) -> Iterator[Obj]:
    """The oldest revisions beyond revisionHistoryLimit, those that are in use aside."""
    past = [found for found in revisions if name_of(found) not in live]
    kept = int(stateful_set["spec"].get("revisionHistoryLimit", 10))
    yield from past[: max(len(past) - kept, 0)]
