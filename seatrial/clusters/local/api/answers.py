"""Answers of the API server: JSON, Tables, Status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

from seatrial.clusters.local.api.errors import StoreError
from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.tables import table

Obj = dict[str, Any]


def answer(obj: Any, status: int = 200, warnings: Iterable[str] = ()) -> web.Response:
    """A JSON answer; warnings are shown by kubectl and Helm."""
    response = web.Response(body=orjson.dumps(obj), status=status, content_type="application/json")
    for warning in warnings:
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def refusal(error: StoreError) -> web.Response:
    """The Status of an error."""
    response = answer(error.status(), error.code)
    if error.code == 429:
        response.headers["Retry-After"] = "10"
    return response


def success(kind: Kind, obj: Obj) -> Obj:
    """The Status that a deletion answers with."""
    metadata = obj["metadata"]
    details = {"name": metadata["name"], "kind": kind.resource, "uid": metadata["uid"]}
    if kind.group:
        details["group"] = kind.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def as_list(kind: Kind, objects: list[Obj], version: str) -> Obj:
    """A `PodList` and the like."""
    return {
        "kind": kind.list_kind,
        "apiVersion": kind.api_version,
        "metadata": {"resourceVersion": version},
        "items": objects,
    }


def wants_table(request: web.Request) -> bool:
    """Whether the client asked for a Table first."""
    return "as=Table" in request.headers.get("Accept", "").partition(",")[0]


def wants_metadata(request: web.Request) -> bool:
    """Whether the client asked for metadata only."""
    return "as=PartialObjectMetadata" in request.headers.get("Accept", "").partition(",")[0]


def only_metadata(obj: Obj) -> Obj:
    """An object without anything but its metadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def shown(request: web.Request, kind: Kind, objects: list[Obj], version: str, *, columns: bool = True) -> Obj:
    """Some objects as the Table that the client asked for."""
    include = request.query.get("includeObject", "Metadata")
    return table(kind, objects, version, include, columns)


def one(request: web.Request, kind: Kind, obj: Obj, status: int = 200, warnings: Iterable[str] = ()) -> web.Response:
    """One object in the form the client asked for."""
    if wants_table(request):
        return answer(shown(request, kind, [obj], obj["metadata"]["resourceVersion"]), status, warnings)
    return answer(only_metadata(obj) if wants_metadata(request) else obj, status, warnings)
