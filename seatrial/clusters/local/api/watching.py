"""Watches: a collection as a stream of events.

Source: kubernetes.io, "API concepts", efficient detection of changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable

import orjson
from aiohttp import web

from seatrial.clusters.local.api import answers, reading
from seatrial.clusters.local.api.errors import StoreError, bad_request, gone
from seatrial.clusters.local.api.request import Target, flag, number
from seatrial.clusters.local.api.selectors import Matches
from seatrial.clusters.local.store import Event, Obj, Store, Subscription

WAITING_LIMIT = 10_000  # events that one watcher may be behind before it is cut off
BOOKMARK_EVERY_S = 60.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


async def watch(store: Store, request: web.Request, target: Target) -> web.StreamResponse:
    """Stream events until the client leaves, its timeout is over or it falls behind."""
    events = _Events(store, request, target)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        subscription = events.subscribe()
    except StoreError as error:
        await response.write(_line("ERROR", error.status()))
        return response
    try:
        await response.write(b"".join(events.initial()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_timeout_s(request)):
                await _stream(response, subscription, events)
    except ConnectionResetError:
        pass  # the client left
    finally:
        subscription.close()
    return response


async def _stream(response: web.StreamResponse, subscription: Subscription, events: _Events) -> None:
    while not subscription.closed:
        try:
            async with asyncio.timeout(BOOKMARK_EVERY_S):
                await subscription.arrived()
        except TimeoutError:
            await response.write(events.bookmark())
            continue
        lines = b"".join(events.lines(subscription.take()))
        if lines:
            await response.write(lines)


class _Events:
    """What one watcher sees: its selectors, its form (object, Table), its starting point."""

    def __init__(self, store: Store, request: web.Request, target: Target) -> None:
        self._store = store
        self._request = request
        self._target = target
        self._matches: Matches = reading.predicate(request, target)
        self._wants_initial = flag(request, "sendInitialEvents")
        self._bookmarks = flag(request, "allowWatchBookmarks")
        self._table = answers.wants_table(request)
        self._columns_sent = False
        since = request.query.get("resourceVersion", "")
        if since and not since.isdecimal():
            raise bad_request(f"resourceVersion: expected a number, found {since!r}")
        match = request.query.get("resourceVersionMatch")
        if self._wants_initial and match != "NotOlderThan":
            raise bad_request("sendInitialEvents: expected resourceVersionMatch=NotOlderThan with it")
        self._since = int(since or 0)

    def subscribe(self) -> Subscription:
        """Start to collect events. Raises StoreError Gone."""
        resource = self._target.kind.resource
        if self._since > self._store.version:
            raise gone(f"too large resource version: {self._since}, current: {self._store.version}")
        if self._wants_initial or self._since == 0:
            return self._store.watch(resource, self._store.version, WAITING_LIMIT)
        return self._store.watch(resource, self._since, WAITING_LIMIT)

    def initial(self) -> Iterable[bytes]:
        """ADDED for what exists, unless the watch starts at a version."""
        if not self._wants_initial and self._since != 0:
            return
        for obj in reading.selected(self._store, self._request, self._target):
            yield self._event("ADDED", obj)
        if self._wants_initial:
            yield self._bookmark({INITIAL_EVENTS_END: "true"})

    def lines(self, events: Iterable[Event]) -> Iterable[bytes]:
        """The events that concern this watcher, as it sees them."""
        for event in events:
            seen = self._seen(event)
            if seen is not None:
                yield self._event(*seen)

    def bookmark(self) -> bytes:
        """Tell a quiet watcher how far it has got; empty if it does not want to know."""
        return self._bookmark({}) if self._bookmarks else b""

    def _seen(self, event: Event) -> tuple[str, Obj] | None:
        namespace = self._target.namespace
        if namespace is not None and event.object["metadata"].get("namespace") != namespace:
            return None
        is_in = event.type != "DELETED" and self._matches(event.object)
        was_in = event.old is not None and self._matches(event.old)
        if is_in:
            return ("MODIFIED" if was_in else "ADDED", event.object)
        if not was_in or event.old is None:
            return None
        if event.type == "DELETED":
            return ("DELETED", event.object)
        # The watcher knew the object as it was; its version is that of the change that took it away.
        version = event.object["metadata"]["resourceVersion"]
        return ("DELETED", {**event.old, "metadata": {**event.old["metadata"], "resourceVersion": version}})

    def _event(self, type_: str, obj: Obj) -> bytes:
        if self._table:
            version = obj["metadata"]["resourceVersion"]
            columns = not self._columns_sent
            self._columns_sent = True
            return _line(type_, answers.shown(self._request, self._target.kind, [obj], version, columns=columns))
        if answers.wants_metadata(self._request):
            return _line(type_, answers.only_metadata(obj))
        return _line(type_, obj)

    def _bookmark(self, annotations: dict[str, str]) -> bytes:
        kind = self._target.kind
        metadata: Obj = {"resourceVersion": str(self._store.version)}
        if annotations:
            metadata["annotations"] = annotations
        return _line("BOOKMARK", {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata})


def _line(type_: str, obj: Obj) -> bytes:
    return orjson.dumps({"type": type_, "object": obj}) + b"\n"


def _timeout_s(request: web.Request) -> float:
    asked = number(request, "timeoutSeconds")
    # As the API server: without a wish, somewhere in the hour after the first half.
    return float(asked) if asked else random.uniform(1800, 3600)
