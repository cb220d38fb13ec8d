"""The subresources that are of another kind than their object: scale, eviction, binding and log."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from seatrial.clusters.local.api import answers, patches, reading, selectors, writing
from seatrial.clusters.local.api import request as requests
from seatrial.clusters.local.api.errors import StoreError, bad_request, invalid, not_found
from seatrial.clusters.local.api.hooks import Hooks, LogOptions
from seatrial.clusters.local.api.request import Target, flag, number
from seatrial.clusters.local.api.schema import type_of
from seatrial.clusters.local.store import Obj, Store

# -- scale --------------------------------------------------------------------------------------------------------


async def scale(store: Store, request: web.Request, target: Target) -> web.Response:
    """GET, PUT or PATCH of the number of replicas."""
    stored = reading.found(store, target)
    if request.method == "GET":
        return answers.answer(_as_scale(stored))
    if request.method == "PUT":
        wanted = await requests.body(request)
    else:
        raw = await requests.read(request)
        patch = requests.yaml_or_json(raw)
        content_type = request.content_type
        if content_type == patches.APPLY_PATCH:
            content_type = patches.MERGE_PATCH
        wanted = patches.patched(content_type, type_of("autoscaling", "v1", "Scale"), _as_scale(stored), patch)
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(f"spec.replicas: expected a whole number, found {replicas!r}")
    if replicas < 0:
        cause = ("FieldValueInvalid", "spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0")
        raise invalid("Scale", "autoscaling", stored["metadata"]["name"], [cause])
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    metadata = {**stored["metadata"], "resourceVersion": version or stored["metadata"]["resourceVersion"]}
    changed = {**stored, "metadata": metadata, "spec": {**stored["spec"], "replicas": replicas}}
    return answers.answer(_as_scale(writing.write(store, request, target, changed)))


def _as_scale(obj: Obj) -> Obj:
    metadata, replicas = obj["metadata"], obj["spec"].get("replicas", 1)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Obj = {"replicas": (obj.get("status") or {}).get("replicas", 0)}
    if selector := selectors.as_text(obj["spec"].get("selector")):
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: metadata[field] for field in kept if field in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


# -- eviction and binding -----------------------------------------------------------------------------------------


async def evict(store: Store, hooks: Hooks, request: web.Request, target: Target) -> web.Response:
    """Delete a pod if every PodDisruptionBudget allows it, else 429."""
    eviction = await requests.body(request)
    options = eviction.get("deleteOptions") or {}
    pod = reading.found(store, target)
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed", "Pending")
    if not ended and not pod["metadata"].get("deletionTimestamp"):
        refused = hooks.refuse_eviction(pod)
        if refused is not None:
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            causes = [{"reason": "DisruptionBudget", "message": refused}]
            raise StoreError(429, "TooManyRequests", message, {"causes": causes})
    if not requests.is_dry_run(request):
        metadata = pod["metadata"]
        store.delete(
            "pods",
            metadata["namespace"],
            metadata["name"],
            grace_period_s=options.get("gracePeriodSeconds"),
            uid=(options.get("preconditions") or {}).get("uid"),
        )
    return answers.answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


async def bind(store: Store, request: web.Request, target: Target) -> web.Response:
    """Give a pod its node."""
    binding = await requests.body(request)
    node = (binding.get("target") or {}).get("name")
    if not node:
        cause = ("FieldValueRequired", "target.name", "Required value")
        raise invalid("Binding", "", target.name or "", [cause])
    pod = reading.found(store, target)
    if pod["spec"].get("nodeName"):
        why = f"pod {target.name} is already assigned to node {pod['spec']['nodeName']!r}"
        raise StoreError(409, "Conflict", f'Operation cannot be fulfilled on pods/binding "{target.name}": {why}')
    store.mutate(
        "pods",
        target.namespace,
        target.name or "",
        lambda draft: draft["spec"].update(nodeName=node),
        subresource="binding",
        manager=requests.manager(request),
    )
    return answers.answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


# -- log ----------------------------------------------------------------------------------------------------------


async def log(store: Store, hooks: Hooks, request: web.Request, target: Target) -> web.StreamResponse:
    """A container's log as plain text."""
    pod = reading.found(store, target)
    container = container_of(pod, request.query.get("container"))
    since = number(request, "sinceSeconds")
    options = LogOptions(
        follow=flag(request, "follow"),
        previous=flag(request, "previous"),
        timestamps=flag(request, "timestamps"),
        tail_lines=number(request, "tailLines"),
        since_s=None if since is None else float(since),
        since_time=request.query.get("sinceTime"),
        limit_bytes=number(request, "limitBytes"),
    )
    chunks = hooks.logs(pod, container, options)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    # A refusal (the container has not started) comes with the first chunk and needs its own status.
    first: bytes | None = await anext(chunks, None)
    await response.prepare(request)
    try:
        if first is not None:
            await response.write(first)
        async for chunk in chunks:
            await response.write(chunk)
    except ConnectionResetError:
        pass  # the client left
    return response


def container_of(pod: Obj, asked: str | None) -> str:
    """The container a request means. Raises StoreError 400 if it must choose, or there is none of that name."""
    spec = pod["spec"]
    names = [entry["name"] for field in ("containers", "initContainers") for entry in spec.get(field) or ()]
    if asked:
        if asked not in names:
            raise bad_request(f"container {asked} is not valid for pod {pod['metadata']['name']}")
        return asked
    only: list[Any] = spec.get("containers") or []
    if len(only) == 1:
        return str(only[0]["name"])
    if not only:
        raise not_found("containers", pod["metadata"]["name"])
    choices = " ".join(entry["name"] for entry in only)
    raise bad_request(
        f"a container name must be specified for pod {pod['metadata']['name']}, choose one of: [{choices}]"
    )
