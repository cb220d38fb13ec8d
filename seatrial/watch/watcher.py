"""Watches a namespace and keeps every event with its time of arrival.

Opened before the stimulus; one thread with an event loop, one HTTP watch a kind. A watch that the server
forgets (410 Gone) is a gap: what was missed cannot be known, and no verdict is built on it.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress

import aiohttp

from seatrial.clock import RunClock
from seatrial.errors import ClusterError, InputError
from seatrial.observation import Change, Log, Timeline
from seatrial.watch.api import Api
from seatrial.watch.logs import LogFollower
from seatrial.watch.secrets import without_values

USUAL = {
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "Event": "/api/v1/namespaces/{namespace}/events",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{namespace}/replicasets",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
}

MORE = {
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "CronJob": "/apis/batch/v1/namespaces/{namespace}/cronjobs",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "Node": "/api/v1/nodes",
    "PersistentVolumeClaim": "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "StatefulSet": "/apis/apps/v1/namespaces/{namespace}/statefulsets",
}

Listener = Callable[[Change], None]
Waiting = Callable[[], AbstractContextManager[None]]


def kinds_of(names: Iterable[str]) -> dict[str, str]:
    """The usual kinds and these, each with the path of its collection. Raises InputError for one not known here."""
    known = {**USUAL, **MORE}
    if unknown := sorted(set(names) - set(known)):
        raise InputError(
            f"watches: expected kinds among {', '.join(sorted(known))}, found {', '.join(unknown)}; correct them"
        )
    return {**USUAL, **{name: known[name] for name in sorted(names)}}


class Watcher:
    """All changes of a namespace from `start` to `stop`, and the moments that a trial names meanwhile.

    Each `wait` is done within the context that `waiting` makes.
    """

    def __init__(
        self, api: Api, namespace: str, clock: RunClock, kinds: Mapping[str, str], waiting: Waiting = nullcontext
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._clock = clock
        self._kinds = kinds
        self._waiting = waiting
        self.marks: dict[str, float] = {}
        self._changes: list[Change] = []
        self._gaps: list[str] = []
        self._listeners: list[Listener] = []
        self._changed = threading.Condition()
        self._listed = threading.Semaphore(0)
        self._refused = ""  # the first kind that the server does not list, and its word
        self._loop = asyncio.new_event_loop()
        self._watching: asyncio.Task[None] | None = None
        self._follower: LogFollower | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch-{namespace}", daemon=True)

    def start(self) -> None:
        """Open every watch; returns when each has been listed. Raises ClusterError when one cannot be."""
        self._watching = self._loop.create_task(self._watch_all())
        self._thread.start()
        for kind in self._kinds:
            if not self._listed.acquire(timeout=30):
                raise ClusterError(f"{self._namespace}: expected all watches within 30 s ({kind} …); is the API slow?")
            if self._refused:
                raise ClusterError(f"{self._namespace}: expected to watch it, found {self._refused}")

    def mark(self, name: str) -> float:
        """Name this moment."""
        self.marks[name] = self._clock.now()
        return self.marks[name]

    def listen(self, listener: Listener) -> None:
        """Call `listener` in the watch's thread with each change to come; it must return at once."""
        self._listeners.append(listener)

    def changes(self) -> tuple[Change, ...]:
        """What arrived so far."""
        with self._changed:
            return tuple(self._changes)

    def wait(self, holds: Callable[[tuple[Change, ...]], bool], timeout_s: float) -> bool:
        """Whether `holds` became true of the changes so far, within timeout_s; asked anew at each change."""
        with self._waiting(), self._changed:
            return self._changed.wait_for(lambda: holds(tuple(self._changes)), timeout=timeout_s)

    def stop(self) -> Timeline:
        """End the watches; everything that arrived. A second call gives the same."""
        if self._watching and self._thread.is_alive():
            with suppress(RuntimeError):  # it may end in this moment
                self._loop.call_soon_threadsafe(self._watching.cancel)
            self._thread.join(timeout=10)
        with self._changed:
            return Timeline(tuple(self._changes), tuple(self._gaps))

    def logs(self) -> tuple[Log, ...]:
        """What the containers of the namespace wrote so far."""
        return self._follower.logs() if self._follower else ()

    def _run(self) -> None:
        assert self._watching is not None
        asyncio.set_event_loop(self._loop)
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._watching)
        self._loop.close()

    async def _watch_all(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        connector = aiohttp.TCPConnector(ssl=self._api.verify, limit=0)
        async with aiohttp.ClientSession(
            self._api.base_url,
            headers=dict(self._api.headers),
            timeout=timeout,
            connector=connector,
            read_bufsize=2**22,
        ) as session:
            self._follower = LogFollower(session, self._namespace, self._clock)
            try:
                await asyncio.gather(
                    *(
                        self._watch(session, kind, path.format(namespace=self._namespace))
                        for kind, path in self._kinds.items()
                    )
                )
            finally:
                self._follower.cancel()

    async def _watch(self, session: aiohttp.ClientSession, kind: str, path: str) -> None:
        async with session.get(path) as answer:
            listed = await answer.json()
        if answer.status != 200:
            self._refused = self._refused or f"{answer.status} for {kind}: {listed.get('message', '')}"
            self._listed.release()
            return
        for item in listed.get("items") or ():
            self._keep(kind, "ADDED", item)
        version = listed["metadata"]["resourceVersion"]
        self._listed.release()
        while True:
            query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(path, params=query) as answer:
                    while line := await answer.content.readline():
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            self._gaps.append(f"{kind}: {event['object'].get('message', 'watch error')}")
                            return
                        version = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK":
                            self._keep(kind, event["type"], event["object"])
            await asyncio.sleep(0.05)  # the server closes long watches; nothing is lost from a known version

    def _keep(self, kind: str, type: str, item: dict[str, object]) -> None:
        metadata = item["metadata"]
        assert isinstance(metadata, dict)
        metadata.pop("managedFields", None)
        kept = without_values(item) if kind == "Secret" else item
        change = Change(self._clock.now(), kind, type, metadata["name"], kept)
        with self._changed:
            self._changes.append(change)
            self._changed.notify_all()
        if self._follower:
            self._follower.see(change)
        for listener in self._listeners:
            listener(change)
