"""Events of pods as a kubelet writes them: equal ones counted in one object, floods cut.

Source: client-go tools/record, EventCorrelator: 25 events of one object at once, then one per 5 minutes.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any, Literal

from seatrial.clusters.local.store import Store, StoreError, timestamp

Obj = dict[str, Any]

BURST, REFILL_S = 25, 300.0


class _Bucket:
    """How many events of one pod may still be written."""

    def __init__(self, now_s: float) -> None:
        self.tokens, self.at_s = float(BURST), now_s

    def take(self, now_s: float) -> bool:
        self.tokens = min(self.tokens + (now_s - self.at_s) / REFILL_S, BURST)
        self.at_s = now_s
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Recorder:
    """Writes events about pods in the name of the scheduler or the kubelet."""

    def __init__(self, store: Store, node: str) -> None:
        self._store = store
        self._node = node
        self._names: dict[tuple[str, ...], str] = {}
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def normal(self, pod: Obj, reason: str, message: str, container: str = "") -> None:
        self._record(pod, "Normal", reason, message, container, "kubelet")

    def warning(self, pod: Obj, reason: str, message: str, container: str = "") -> None:
        self._record(pod, "Warning", reason, message, container, "kubelet")

    def scheduled(self, pod: Obj, node: str) -> None:
        metadata = pod["metadata"]
        message = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}"
        self._record(pod, "Normal", "Scheduled", message, "", "default-scheduler")

    def not_scheduled(self, pod: Obj, why: str) -> None:
        self._record(pod, "Warning", "FailedScheduling", why, "", "default-scheduler")

    def forget(self, pod: Obj) -> None:
        """The pod is gone; its Events stay."""
        uid = pod["metadata"]["uid"]
        self._names = {key: name for key, name in self._names.items() if key[0] != uid}
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if key[0] != uid}

    def _record(
        self, pod: Obj, type_: Literal["Normal", "Warning"], reason: str, message: str, container: str, component: str
    ) -> None:
        metadata, now_s = pod["metadata"], asyncio.get_running_loop().time()
        uid, namespace = metadata["uid"], metadata["namespace"]
        if not self._buckets.setdefault((uid, component), _Bucket(now_s)).take(now_s):
            return
        path = f"spec.containers{{{container}}}" if container else ""
        if container in {one["name"] for one in pod["spec"].get("initContainers") or ()}:
            path = f"spec.initContainers{{{container}}}"
        identity = (uid, component, path, type_, reason, message)
        known = self._names.get(identity)
        if known is not None and self._store.mutate("events", namespace, known, _count_once_more) is not None:
            return
        name = f"{metadata['name']}.{time.time_ns():x}"
        about = {"kind": "Pod", "apiVersion": "v1", "namespace": namespace, "name": metadata["name"], "uid": uid}
        about |= {"resourceVersion": metadata["resourceVersion"]} | ({"fieldPath": path} if path else {})
        source = {"component": component} | ({"host": self._node} if component == "kubelet" else {})
        now = timestamp()
        event = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": about,
            "type": type_,
            "reason": reason,
            "message": message[:1024],
            "source": source,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "eventTime": None,
            "reportingComponent": component,
            "reportingInstance": source.get("host", ""),
        }
        # A namespace that is being removed takes no more events, and nobody is left to read them.
        with suppress(StoreError):
            self._store.create("events", event)
            self._names[identity] = name


def _count_once_more(event: Obj) -> None:
    event["count"] = event.get("count", 1) + 1
    event["lastTimestamp"] = timestamp()
