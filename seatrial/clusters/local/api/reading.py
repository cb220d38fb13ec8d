"""GET of objects and collections."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from seatrial.clusters.local.api import answers, selectors
from seatrial.clusters.local.api.request import Target
from seatrial.clusters.local.store import Obj, Store


def get(store: Store, request: web.Request, target: Target) -> web.Response:
    """One object. Raises StoreError NotFound."""
    return answers.one(request, target.kind, found(store, target))


def found(store: Store, target: Target) -> Obj:
    """The object that a target names. Raises StoreError NotFound."""
    return store.get(target.kind.resource, target.namespace, target.name or "")


def list_(store: Store, request: web.Request, target: Target) -> web.Response:
    """A collection, or the part of it that selectors ask for."""
    kind = target.kind
    objects = selected(store, request, target)
    version = str(store.version)
    if answers.wants_table(request):
        return answers.answer(answers.shown(request, kind, objects, version))
    if answers.wants_metadata(request):
        partial: dict[str, Any] = {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": version},
            "items": [answers.only_metadata(obj) for obj in objects],
        }
        return answers.answer(partial)
    return answers.answer(answers.as_list(kind, objects, version))


def selected(store: Store, request: web.Request, target: Target) -> list[Obj]:
    """The objects of a collection that match the request's selectors."""
    matches = predicate(request, target)
    return [obj for obj in store.list(target.kind.resource, target.namespace) if matches(obj)]


def predicate(request: web.Request, target: Target) -> selectors.Matches:
    """Whether an object of the right namespace matches the request's selectors. Raises StoreError 400."""
    tests = []
    if labels := request.query.get("labelSelector"):
        tests.append(selectors.label_selector(labels))
    if fields := request.query.get("fieldSelector"):
        tests.append(selectors.field_selector(target.kind.resource, fields))
    return lambda obj: all(test(obj) for test in tests)
