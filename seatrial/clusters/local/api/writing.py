"""POST, PUT, PATCH and DELETE of objects."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from seatrial.clusters.local.api import answers, applied_config, patches, reading
from seatrial.clusters.local.api import request as requests
from seatrial.clusters.local.api.decoding import decode
from seatrial.clusters.local.api.errors import StoreError, bad_request, invalid
from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.problems import required
from seatrial.clusters.local.api.request import Target
from seatrial.clusters.local.api.schema import type_of_kind
from seatrial.clusters.local.store import Obj, Store

# These answer a DELETE with the object; the others with a Status, if they are gone at once.
ANSWER_DELETED = {"pods", "services", "serviceaccounts", "persistentvolumeclaims", "persistentvolumes"}


async def create(store: Store, request: web.Request, target: Target) -> web.Response:
    """POST to a collection."""
    obj, warnings = _decoded(request, target, await requests.body(request))
    if target.kind.status and target.kind.resource != "nodes":
        obj.pop("status", None)  # a new object has none but the one that the server gives it
    admit = store.admit_create if requests.is_dry_run(request) else store.create
    created = admit(target.kind.resource, obj, manager=requests.manager(request))
    return answers.one(request, target.kind, created, 201, warnings)


async def replace(store: Store, request: web.Request, target: Target) -> web.Response:
    """PUT of an object or of its status."""
    obj, warnings = _decoded(request, target, await requests.body(request))
    return answers.one(request, target.kind, write(store, request, target, obj), 200, warnings)


async def patch(store: Store, request: web.Request, target: Target) -> web.Response:
    """PATCH of an object or of its status, in four forms."""
    raw = await requests.read(request)
    if request.content_type == patches.APPLY_PATCH:
        return _apply(store, request, target, requests.yaml_or_json(raw))
    stored = reading.found(store, target)
    changed = patches.patched(request.content_type, type_of_kind(target.kind), stored, requests.json(raw))
    try:
        obj, warnings = _decoded(request, target, changed)
    except StoreError as error:
        if "strict decoding error" not in error.message:
            raise
        why = error.message.partition("cannot be handled as a ")[2].partition(": ")[2]
        raise StoreError(422, "Invalid", f' "" is invalid: patch: Invalid value: {why}') from None
    return answers.one(request, target.kind, write(store, request, target, obj), 200, warnings)


def write(store: Store, request: web.Request, target: Target, obj: Obj) -> Obj:
    """Store a changed object, or only say how it would be stored."""
    resource, manager = target.kind.resource, requests.manager(request)
    if requests.is_dry_run(request):
        stored = reading.found(store, target)
        return store.admit_update(resource, stored, obj, subresource=target.subresource, manager=manager)
    return store.update(resource, obj, subresource=target.subresource, manager=manager)


def _apply(store: Store, request: web.Request, target: Target, config: Any) -> web.Response:
    """Server-side apply; makes the object if there is none."""
    if not request.query.get("fieldManager"):
        raise invalid("PatchOptions", "meta.k8s.io", "", [required("fieldManager", "is required for apply patch")])
    if not isinstance(config, dict):
        raise bad_request(f"expected an object as apply patch, found {type(config).__name__}")
    config = _applied_config(target, config)
    existed = store.find(target.kind.resource, target.namespace, target.name or "") is not None
    apply = store.admit_apply if requests.is_dry_run(request) else store.apply
    applied = apply(
        target.kind.resource,
        target.namespace,
        target.name or "",
        config,
        manager=request.query["fieldManager"],
        force=requests.flag(request, "force"),
        subresource=target.subresource,
    )
    return answers.one(request, target.kind, applied, 200 if existed else 201)


def _applied_config(target: Target, config: Obj) -> Obj:
    """What a server-side apply names, checked. Raises StoreError 400 or 500."""
    api_version, kind = config.get("apiVersion") or "", config.get("kind") or ""
    if not api_version or not kind:
        group, _, version = api_version.rpartition("/")
        raise bad_request(f"invalid object type: {group}/{version}, Kind={kind}")
    metadata = config.get("metadata") or {}
    if isinstance(metadata, dict) and metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    own_namespace = metadata.get("namespace") or "" if isinstance(metadata, dict) else ""
    _check_identity(target, config)
    applied_config.check(target.kind, target.name or "", own_namespace, config)
    return config


async def delete(store: Store, request: web.Request, target: Target) -> web.Response:
    """DELETE of an object."""
    options = await requests.body(request)
    stored = reading.found(store, target)
    deleted = _delete(store, request, target.kind, stored, options)
    still_there = store.find(target.kind.resource, target.namespace, target.name or "") is not None
    if still_there or target.kind.resource in ANSWER_DELETED or _orphans(request, target.kind, options):
        return answers.one(request, target.kind, deleted)
    return answers.answer(answers.success(target.kind, deleted))


async def delete_collection(store: Store, request: web.Request, target: Target) -> web.Response:
    """DELETE of all objects that the selectors ask for."""
    options = await requests.body(request)
    chosen = reading.selected(store, request, target)
    deleted = [_delete(store, request, target.kind, obj, options) for obj in chosen]
    return answers.answer(answers.as_list(target.kind, deleted, str(store.version)))


def _delete(store: Store, request: web.Request, kind: Kind, obj: Obj, options: Obj) -> Obj:
    metadata, wanted = obj["metadata"], options.get("preconditions") or {}
    version = wanted.get("resourceVersion")
    if version is not None and version != metadata["resourceVersion"]:
        why = f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
        raise StoreError(
            409,
            "Conflict",
            f'Operation cannot be fulfilled on {kind.qualified} "{metadata["name"]}": {why}'
            f"({metadata['resourceVersion']}). The object might have been modified",
        )
    if requests.is_dry_run(request) or "All" in (options.get("dryRun") or ()):
        return obj
    grace = options.get("gracePeriodSeconds")
    if grace is None:
        grace = requests.number(request, "gracePeriodSeconds")
    return store.delete(
        kind.resource,
        metadata.get("namespace"),
        metadata["name"],
        grace_period_s=grace,
        uid=wanted.get("uid"),
        propagation="Orphan" if _orphans(request, kind, options) else None,
    )


def _orphans(request: web.Request, kind: Kind, options: Obj) -> bool:
    asked = options.get("propagationPolicy") or request.query.get("propagationPolicy")
    if asked not in (None, "Orphan", "Background", "Foreground"):
        raise bad_request(f"propagationPolicy: expected Orphan, Background or Foreground, found {asked!r}")
    if asked is None and (options.get("orphanDependents") is True or requests.flag(request, "orphanDependents")):
        return True
    # A Job deleted without a wish leaves its pods behind: batch/v1 kept the rule of its first days.
    return asked == "Orphan" or (asked is None and kind.resource == "jobs")


def _decoded(request: web.Request, target: Target, obj: Obj) -> tuple[Obj, list[str]]:
    _check_identity(target, obj)
    validation = request.query.get("fieldValidation", "Warn")
    if validation not in ("Strict", "Warn", "Ignore"):
        raise bad_request(f"fieldValidation: expected Strict, Warn or Ignore, found {validation!r}")
    return decode(target.kind, obj, validation)


def _check_identity(target: Target, obj: Obj) -> None:
    """The kind, namespace and name in a body must be those of the path; what is missing is filled in."""
    kind = target.kind
    api_version, name = obj.get("apiVersion") or kind.api_version, obj.get("kind") or kind.kind
    if (api_version, name) != (kind.api_version, kind.kind):
        raise bad_request(
            f"the API version in the data ({api_version}, {name}) does not match the expected API version "
            f"({kind.api_version}, {kind.kind})"
        )
    obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
    metadata = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise bad_request(f"metadata: expected an object, found {type(metadata).__name__}")
    if target.namespace is not None:
        if metadata.get("namespace") not in (None, "", target.namespace):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        metadata["namespace"] = target.namespace
    if target.name is not None:
        if metadata.get("name") not in (None, "", target.name):
            raise bad_request(
                f"the name of the object ({metadata.get('name')}) does not match the name on the URL ({target.name})"
            )
        metadata["name"] = target.name
