"""How an object goes: at once, after a grace period, or when its finalizers are gone."""

from __future__ import annotations

import time
from typing import Any

from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.objects import copy, timestamp

Obj = dict[str, Any]
DEFAULT_POD_GRACE_S = 30


def grace_s(pod: Obj, asked_s: int | None) -> int:
    """How long a pod may take to stop; a pod that no kubelet holds, or that has ended, goes at once."""
    spec, phase = pod["spec"], (pod.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    granted: int = spec.get("terminationGracePeriodSeconds", DEFAULT_POD_GRACE_S) if asked_s is None else asked_s
    # A second deletion may shorten the time that is left, never lengthen it.
    left: int = pod["metadata"].get("deletionGracePeriodSeconds", granted)
    return min(granted, left)


def terminating(kind: Kind, stored: Obj, grace_s: int) -> Obj:
    """The object with its deletion under way; unchanged if it already is and no sooner end is asked for."""
    metadata = stored["metadata"]
    if "deletionTimestamp" in metadata and metadata.get("deletionGracePeriodSeconds", 0) <= grace_s:
        return stored
    new = copy(stored)
    new["metadata"]["deletionTimestamp"] = timestamp(time.time() + grace_s)
    new["metadata"]["deletionGracePeriodSeconds"] = grace_s
    if kind.generation and "deletionTimestamp" not in metadata:
        new["metadata"]["generation"] = metadata.get("generation", 1) + 1
    if kind.resource == "namespaces":
        del new["metadata"]["deletionGracePeriodSeconds"]
        new.setdefault("status", {})["phase"] = "Terminating"
    return new


def disown(draft: Obj, uid: str) -> None:
    owners = [owner for owner in draft["metadata"]["ownerReferences"] if owner.get("uid") != uid]
    draft["metadata"]["ownerReferences"] = owners
    if not owners:
        del draft["metadata"]["ownerReferences"]
