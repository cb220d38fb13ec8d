"""How many replicas each revision of a Deployment should have next.

Pure functions of a Deployment and its ReplicaSets. Source: kubernetes/pkg/controller/deployment,
rolling.go, sync.go and util/deployment_util.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from seatrial.clusters.local.controllers.objects import Obj, created_s, scaled

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
HASH_LABEL = "pod-template-hash"

Sizes = dict[str, int]  # ReplicaSet name to the replicas it should have


def name_of(obj: Obj) -> str:
    name: str = obj["metadata"]["name"]
    return name


def replicas(obj: Obj) -> int:
    """spec.replicas, 1 if it is not set."""
    wanted = obj["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def observed(obj: Obj, field: str) -> int:
    """A count in the status."""
    return int((obj.get("status") or {}).get(field) or 0)


def total(replica_sets: Iterable[Obj]) -> int:
    return sum(replicas(found) for found in replica_sets)


def revision(obj: Obj) -> int:
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def is_rolling(deployment: Obj) -> bool:
    strategy = (deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate")
    return bool(strategy == "RollingUpdate")


def _rolling(deployment: Obj) -> Obj:
    return (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}


def fenceposts(deployment: Obj) -> tuple[int, int]:
    """maxSurge and maxUnavailable in pods. Percentages round up and down; both 0 would never move."""
    wanted = replicas(deployment)
    surge = scaled(_rolling(deployment).get("maxSurge", "25%"), wanted, up=True)
    unavailable = scaled(_rolling(deployment).get("maxUnavailable", "25%"), wanted, up=False)
    return surge, 1 if surge == unavailable == 0 else unavailable


def max_surge(deployment: Obj) -> int:
    return fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Obj) -> int:
    if not is_rolling(deployment):
        return 0
    return min(fenceposts(deployment)[1], replicas(deployment))


def active(replica_sets: Iterable[Obj]) -> list[Obj]:
    """Those that should have pods."""
    return [found for found in replica_sets if replicas(found) > 0]


def oldest_first(replica_sets: Iterable[Obj]) -> list[Obj]:
    return sorted(replica_sets, key=lambda found: (created_s(found), name_of(found)))


def template_matches(replica_set: Obj, deployment: Obj) -> bool:
    """The same pod template, the label with its hash aside."""
    return _without_hash(replica_set["spec"]["template"]) == _without_hash(deployment["spec"]["template"])


def _without_hash(template: Obj) -> Obj:
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def new_replicas(deployment: Obj, new: Obj | None, olds: Sequence[Obj]) -> int:
    """The size of the current revision now: as many as maxSurge leaves room for, all at once for Recreate."""
    wanted = replicas(deployment)
    current = replicas(new) if new is not None else 0
    if current >= wanted or not is_rolling(deployment):
        return wanted
    surge = scaled(_rolling(deployment).get("maxSurge", "25%"), wanted, up=True)
    room = wanted + surge - current - total(olds)
    return current if room <= 0 else current + min(room, wanted - current)


def old_replicas(deployment: Obj, new: Obj, olds: Sequence[Obj]) -> Sizes:
    """The sizes to which old revisions can shrink now without going below what must stay available.

    Pods that never became available go first: they keep nothing up.
    """
    olds = oldest_first(active(olds))
    must_stay = replicas(deployment) - max_unavailable(deployment)
    new_unavailable = replicas(new) - observed(new, "availableReplicas")
    removable = total(olds) + replicas(new) - must_stay - new_unavailable
    if not olds or removable <= 0:
        return {}
    sizes = {name_of(old): replicas(old) for old in olds}
    for old in olds:
        unhealthy = max(replicas(old) - observed(old, "availableReplicas"), 0)
        gone = min(removable, unhealthy)
        sizes[name_of(old)] -= gone
        removable -= gone
    surplus = sum(observed(found, "availableReplicas") for found in (*olds, new)) - must_stay
    for old in olds:
        gone = max(min(surplus, sizes[name_of(old)]), 0)
        sizes[name_of(old)] -= gone
        surplus -= gone
    return {name_of(old): sizes[name_of(old)] for old in olds if sizes[name_of(old)] != replicas(old)}


def is_scaling(deployment: Obj, replica_sets: Iterable[Obj]) -> bool:
    """spec.replicas changed since the ReplicaSets were last sized, so this is no step of a rollout."""
    for found in active(replica_sets):
        desired = (found["metadata"].get("annotations") or {}).get(DESIRED_REPLICAS)
        if desired is not None and desired != str(replicas(deployment)):
            return True
    return False


def scaled_sizes(deployment: Obj, new: Obj | None, olds: Sequence[Obj]) -> Sizes:
    """The sizes after spec.replicas changed, also amid a rollout: then the change is shared in proportion."""
    wanted = replicas(deployment)
    everything = [*olds, *([new] if new is not None else [])]
    growing = active(everything)
    if len(growing) <= 1:
        target = growing[0] if growing else new or max(olds, key=created_s, default=None)
        return {} if target is None else {name_of(target): wanted}
    if new is not None and _is_saturated(deployment, new):
        return {name_of(old): 0 for old in active(olds)}
    if not is_rolling(deployment):
        return {}
    return _in_proportion(deployment, growing)


def _is_saturated(deployment: Obj, new: Obj) -> bool:
    desired = (new["metadata"].get("annotations") or {}).get(DESIRED_REPLICAS)
    wanted = replicas(deployment)
    return replicas(new) == wanted == observed(new, "availableReplicas") and desired == str(wanted)


def _in_proportion(deployment: Obj, growing: Sequence[Obj]) -> Sizes:
    wanted = replicas(deployment)
    to_add = (wanted + max_surge(deployment) if wanted > 0 else 0) - total(growing)
    newest_first = to_add > 0
    ordered = sorted(
        growing, key=lambda found: (-replicas(found), -created_s(found) if newest_first else created_s(found))
    )
    sizes = {name_of(found): replicas(found) for found in ordered}
    left = to_add
    for found in ordered:
        share = _share(deployment, found)
        given = min(share, left) if to_add > 0 else max(share, left)
        sizes[name_of(found)] += given
        left -= given
    largest = name_of(ordered[0])
    sizes[largest] = max(sizes[largest] + left, 0)
    return sizes


def _share(deployment: Obj, found: Obj) -> int:
    """How many replicas one ReplicaSet gains (or loses) if all change alike."""
    if replicas(deployment) == 0:
        return -replicas(found)
    before = (found["metadata"].get("annotations") or {}).get(MAX_REPLICAS)
    size_before = int(before) if before and before.isdigit() else observed(deployment, "replicas")
    if size_before == 0:
        return 0
    grown = replicas(found) * (replicas(deployment) + max_surge(deployment)) / size_before
    return math.floor(grown + 0.5) - replicas(found)


def obsolete(deployment: Obj, olds: Sequence[Obj]) -> list[str]:
    """The empty ReplicaSets beyond revisionHistoryLimit, oldest revision first."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    if limit is None:
        return []
    surplus = len(olds) - int(limit)
    oldest = sorted(olds, key=revision)[: max(surplus, 0)]
    return [name_of(old) for old in oldest if replicas(old) == 0 and observed(old, "replicas") == 0]
