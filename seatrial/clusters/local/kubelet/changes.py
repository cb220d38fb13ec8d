"""Waiting for an API object to change, without looking again and again."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

from seatrial.clusters.local.store import Event, Store

Source = tuple[str, str]  # resource and namespace

RESOURCE_OF_KIND = {
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Service": "services",
    "EndpointSlice": "endpointslices",
}


class Changes:
    """The events of what pods refer to: wakes those who wait, and tells the listener."""

    def __init__(self, store: Store, listener: Callable[[Event], None]) -> None:
        self._subscription = store.subscribe(*RESOURCE_OF_KIND.values())
        self._listener = listener
        self._waiting: defaultdict[Source, set[asyncio.Future[None]]] = defaultdict(set)

    async def run(self) -> None:
        """Until `close`."""
        async for event in self._subscription:
            for future in self._waiting.pop(_source(event), ()):
                if not future.done():
                    future.set_result(None)
            self._listener(event)

    def close(self) -> None:
        self._subscription.close()

    async def wait(self, namespace: str, resources: Iterable[str]) -> None:
        """Return at the next change of any object of these resources in the namespace."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sources = [(resource, namespace) for resource in resources]
        for source in sources:
            self._waiting[source].add(future)
        try:
            await future
        finally:
            for source in sources:
                self._waiting[source].discard(future)


def _source(event: Event) -> Source:
    obj = event.object
    return RESOURCE_OF_KIND[obj["kind"]], obj["metadata"].get("namespace", "")
