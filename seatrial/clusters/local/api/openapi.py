"""OpenAPI documents: an empty v2, and v3 with the types of the stored kinds.

The v3 paths say only what clients look for: that the server validates fields. Strategic merge patches are not
among the patches listed, so that kubectl takes the merge keys it was built with.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import orjson
from aiohttp import web

from seatrial.clusters.local.api.discovery import by_group_version
from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.schema import REF, data, definition_names

V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
Obj = dict[str, Any]


def answer_openapi(request: web.Request) -> web.Response | None:
    """The answer to `/openapi/v2` and `/openapi/v3...`; None if it is none."""
    path = request.path.strip("/")
    if path == "openapi/v2":
        # An empty document is valid protobuf: it declares nothing.
        return web.Response(body=b"", headers={"Content-Type": V2_PROTOBUF})
    if path == "openapi/v3":
        index = {"paths": {name: {"serverRelativeURL": _url(name)} for name in _documents()}}
        return web.Response(body=orjson.dumps(index), content_type="application/json")
    document = _documents().get(path.removeprefix("openapi/v3/"))
    return web.Response(body=document, content_type="application/json") if document else None


def _url(name: str) -> str:
    return f"/openapi/v3/{name}?hash={hashlib.sha256(_documents()[name]).hexdigest()}"


@cache
def _documents() -> dict[str, bytes]:
    return {
        ("api/v1" if name == "v1" else f"apis/{name}"): orjson.dumps(_document(kinds))
        for name, kinds in by_group_version().items()
    }


def _document(kinds: list[Kind]) -> Obj:
    names = [definition_names()[(kind.group, kind.version, kind.kind)] for kind in kinds]
    definitions = data()["definitions"]
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": data()["version"]},
        "paths": {path: item for kind in kinds for path, item in _paths(kind).items()},
        "components": {"schemas": {name: definitions[name] for name in sorted(_reachable(names))}},
    }


def _reachable(names: list[str]) -> set[str]:
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _references(data()["definitions"][name])
    return seen


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for value in schema for name in _references(value)]
    if not isinstance(schema, dict):
        return []
    found = [name for value in schema.values() for name in _references(value)]
    reference = schema.get("$ref")
    return [*found, reference.removeprefix(REF)] if isinstance(reference, str) else found


def _paths(kind: Kind) -> Obj:
    root = f"/apis/{kind.api_version}" if kind.group else "/api/v1"
    collection = f"{root}/namespaces/{{namespace}}/{kind.resource}" if kind.namespaced else f"{root}/{kind.resource}"
    return {
        collection: {"get": _operation(kind, "list"), "post": _operation(kind, "post")},
        f"{collection}/{{name}}": {
            "get": _operation(kind, "get"),
            "put": _operation(kind, "put"),
            "patch": _operation(kind, "patch"),
        },
    }


def _operation(kind: Kind, action: str) -> Obj:
    name = definition_names()[(kind.group, kind.version, kind.kind)]
    content = {"application/json": {"schema": {"$ref": f"{REF}{name}"}}}
    operation: Obj = {
        "operationId": f"{action}{kind.kind}",
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "responses": {"200": {"description": "OK", "content": content}},
    }
    if action in ("post", "put", "patch"):
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in ("dryRun", "fieldManager", "fieldValidation")
        ]
        types = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
        bodies = types if action == "patch" else ("application/json",)
        operation["requestBody"] = {"required": True, "content": {media: {"schema": {}} for media in bodies}}
    return operation
