"""Events: what a controller tells the reader of `kubectl describe`.

Equal ones are counted in one object, as client-go's correlator does.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import Literal

from seatrial.clusters.local.controllers.objects import Obj, uid_of
from seatrial.clusters.local.store import Store, StoreError, timestamp


class Recorder:
    """Writes the events of one component, such as `deployment-controller`."""

    def __init__(self, store: Store, component: str) -> None:
        self._store = store
        self._component = component
        self._written: dict[tuple[str, ...], str] = {}  # what is said of whom -> the name of its event

    def normal(self, about: Obj, reason: str, message: str) -> None:
        self._record(about, "Normal", reason, message)

    def warning(self, about: Obj, reason: str, message: str) -> None:
        self._record(about, "Warning", reason, message)

    def _record(self, about: Obj, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        namespace = about["metadata"].get("namespace", "default")
        identity = (uid_of(about), type_, reason, message)
        name = self._written.get(identity)
        if name is not None and self._store.mutate("events", namespace, name, _count_once_more) is not None:
            return
        name = f"{about['metadata']['name']}.{secrets.token_hex(8)}"
        now = timestamp()
        # A namespace that is going away takes no more events; nobody is left to read them.
        with contextlib.suppress(StoreError):
            self._store.create(
                "events",
                {
                    "metadata": {"name": name, "namespace": namespace},
                    "involvedObject": {
                        "apiVersion": about["apiVersion"],
                        "kind": about["kind"],
                        "name": about["metadata"]["name"],
                        "namespace": namespace,
                        "uid": uid_of(about),
                        "resourceVersion": about["metadata"]["resourceVersion"],
                    },
                    "type": type_,
                    "reason": reason,
                    "message": message,
                    "source": {"component": self._component},
                    "reportingComponent": self._component,
                    "reportingInstance": "",
                    "firstTimestamp": now,
                    "lastTimestamp": now,
                    "eventTime": None,
                    "count": 1,
                },
            )
            self._written[identity] = name


def _count_once_more(event: Obj) -> None:
    event["count"] = event.get("count", 1) + 1
    event["lastTimestamp"] = timestamp()
