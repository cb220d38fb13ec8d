"""What a request asks for: the object behind its path, its options and its body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from aiohttp import web

from seatrial.clusters.local.api import protobuf
from seatrial.clusters.local.api.errors import StoreError, bad_request
from seatrial.clusters.local.api.kinds import KINDS, Kind

Obj = dict[str, Any]
BODY_LIMIT_BYTES = 3 * 1024 * 1024  # that of a kube-apiserver
NAMESPACE_SUBRESOURCES = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a collection (`name` is None), an object or one of its subresources."""

    kind: Kind
    namespace: str | None  # None: all namespaces, or a cluster-scoped kind
    name: str | None
    subresource: str | None = None


class _Loader(yaml.CSafeLoader):
    """YAML as Go's clients read it: a date is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def target(path: str) -> Target | None:
    """The target of `/api/v1/...` or `/apis/GROUP/VERSION/...`; None if no stored kind is meant."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2 and parts[1] == "v1":
        group, version, rest = "", "v1", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = None
    # /namespaces/X alone, /namespaces/X/status and /finalize are the Namespace itself.
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in NAMESPACE_SUBRESOURCES:
        namespace, rest = rest[1], rest[2:]
    kind = KINDS.get(rest[0])
    if kind is None or (kind.group, kind.version) != (group, version) or len(rest) > 3:
        return None
    if namespace is None and kind.namespaced and len(rest) > 1:
        return None
    name = rest[1] if len(rest) > 1 else None
    return Target(kind, namespace, name, rest[2] if len(rest) > 2 else None)


def flag(request: web.Request, name: str) -> bool:
    """A boolean query parameter, written `true` or `1`."""
    return request.query.get(name, "").lower() in ("true", "1")


def number(request: web.Request, name: str) -> int | None:
    """A whole query parameter; raises StoreError 400 if it is none."""
    text = request.query.get(name)
    if text is None or text == "":
        return None
    if not text.isdecimal():
        raise bad_request(f"{name}: expected a whole number, found {text!r}")
    return int(text)


def manager(request: web.Request) -> str:
    """Who owns what this request writes: its fieldManager, else the program's name."""
    return request.query.get("fieldManager") or request.headers.get("User-Agent", "unknown").partition("/")[0]


def is_dry_run(request: web.Request) -> bool:
    """Whether nothing shall be stored; raises StoreError 400 for an unknown value."""
    asked = request.query.getall("dryRun", [])
    if any(value != "All" for value in asked):
        raise bad_request(f"dryRun: expected All, found {asked}")
    return bool(asked)


async def body(request: web.Request) -> Obj:
    """The request's object; empty if there is none. Raises StoreError 400, 413 or 415."""
    raw = await read(request)
    if not raw:
        return {}
    content_type = request.content_type
    if content_type == protobuf.CONTENT_TYPE:
        return protobuf.decode(raw)
    if content_type in ("application/json", "application/octet-stream", "text/plain", "*/*"):
        return _object(json(raw))
    if content_type in ("application/yaml", "text/yaml"):
        return _object(yaml_or_json(raw))
    raise StoreError(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format - accepted media types include: application/json, "
        f"application/yaml, {protobuf.CONTENT_TYPE}",
    )


async def read(request: web.Request) -> bytes:
    """The body's bytes; raises StoreError 413 when there are more than the API server takes."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise StoreError(
            413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_LIMIT_BYTES}"
        ) from None


def json(raw: bytes) -> Any:
    """JSON; raises StoreError 400."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        raise bad_request(f"the body is not valid JSON: {problem}") from None


def yaml_or_json(raw: bytes) -> Any:
    """YAML or JSON; raises StoreError 400."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    try:
        loaded = yaml.load(raw, Loader=_Loader)
        return orjson.loads(orjson.dumps(loaded))
    except (yaml.YAMLError, TypeError, ValueError) as problem:
        raise bad_request(f"error decoding YAML: {problem}") from None


def _object(loaded: Any) -> Obj:
    if not isinstance(loaded, dict):
        raise bad_request(f"expected an object, found {type(loaded).__name__}")
    return loaded
