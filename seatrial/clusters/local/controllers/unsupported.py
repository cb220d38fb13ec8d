"""Kinds that the API takes and nobody here acts on: an event says so, or a wait for them would end in silence."""

from __future__ import annotations

from collections.abc import Iterable

from seatrial.clusters.local.controllers.controller import Controller
from seatrial.clusters.local.controllers.events import Recorder
from seatrial.clusters.local.controllers.objects import Key, key_of
from seatrial.clusters.local.store import Event, Store

RESOURCES = {"DaemonSet": "daemonsets", "CronJob": "cronjobs"}


class UnsupportedController(Controller):
    """Warns once about each object that will never have pods."""

    watches = tuple(RESOURCES.values())

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._events = Recorder(store, "seatrial")

    def concerned(self, event: Event) -> Iterable[Key]:
        if event.type == "ADDED":
            namespace, name = key_of(event.object)
            yield namespace, f"{event.object['kind']}/{name}"

    def reconcile(self, key: Key) -> None:
        kind, name = key[1].split("/", 1)
        found = self.store.find(RESOURCES[kind], key[0], name)
        if found is not None:
            message = f"the local cluster runs no {kind}s, so this one gets no pods; use a Deployment or Job, or kind"
            self._events.warning(found, "NotSupported", message)
