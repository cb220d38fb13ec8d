"""Resources that hold no objects: access reviews and metrics.k8s.io."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from seatrial.clusters.local.api import answers, selectors
from seatrial.clusters.local.api import request as requests
from seatrial.clusters.local.api.errors import StoreError, not_found
from seatrial.clusters.local.api.hooks import Hooks, PodUsage, Usage
from seatrial.clusters.local.store import Obj, Store, timestamp

METRICS = "metrics.k8s.io/v1beta1"


async def answer_review(request: web.Request) -> web.Response | None:
    """`kubectl auth can-i`: everybody may do everything here. None if the path is none of these."""
    root = "/apis/authorization.k8s.io/v1/"
    if not request.path.startswith(root) or request.method != "POST":
        return None
    review = await requests.body(request)
    resource = request.path.removeprefix(root)
    if resource == "selfsubjectaccessreviews":
        return answers.answer({**review, "status": {"allowed": True}}, 201)
    if resource == "selfsubjectrulesreviews":
        everything: Obj = {
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
        return answers.answer({**review, "status": everything}, 201)
    return None


def answer_metrics(store: Store, hooks: Hooks, request: web.Request) -> web.Response | None:
    """`kubectl top`. None if the path is none of these."""
    root = f"/apis/{METRICS}/"
    if not request.path.startswith(root) or request.method != "GET":
        return None
    matches = selectors.label_selector(request.query.get("labelSelector", ""))
    match request.path.removeprefix(root).strip("/").split("/"):
        case ["pods"]:
            return _pods(store, hooks, None, matches)
        case ["namespaces", namespace, "pods"]:
            return _pods(store, hooks, namespace, matches)
        case ["namespaces", namespace, "pods", name]:
            pod = store.get("pods", namespace, name)
            usage = hooks.pod_usage(pod)
            if usage is None:
                raise not_found("podmetrics.metrics.k8s.io", f"{namespace}/{name}")
            return answers.answer(_pod_metrics(pod, usage))
        case ["nodes"]:
            nodes = [_node_metrics(store, hooks, node) for node in store.list("nodes") if matches(node)]
            return answers.answer(_metrics_list("NodeMetricsList", nodes))
        case ["nodes", name]:
            return answers.answer(_node_metrics(store, hooks, store.get("nodes", None, name)))
    return None


def _pods(store: Store, hooks: Hooks, namespace: str | None, matches: selectors.Matches) -> web.Response:
    known = [(pod, hooks.pod_usage(pod)) for pod in store.list("pods", namespace) if matches(pod)]
    items = [_pod_metrics(pod, usage) for pod, usage in known if usage is not None]
    return answers.answer(_metrics_list("PodMetricsList", items))


def _metrics_list(kind: str, items: list[Obj]) -> Obj:
    return {"kind": kind, "apiVersion": METRICS, "metadata": {}, "items": items}


def _pod_metrics(pod: Obj, usage: PodUsage) -> Obj:
    metadata = pod["metadata"]
    return {
        **_measured("PodMetrics", metadata, usage.at_s, usage.window_s),
        "containers": [{"name": name, "usage": _usage(used)} for name, used in sorted(usage.containers.items())],
    }


def _node_metrics(store: Store, hooks: Hooks, node: Obj) -> Obj:
    pods = [pod for pod in store.list("pods") if pod["spec"].get("nodeName") == node["metadata"]["name"]]
    known = [usage for usage in map(hooks.pod_usage, pods) if usage is not None]
    total = Usage(
        sum(used.cpu_cores for usage in known for used in usage.containers.values()),
        sum(used.memory_bytes for usage in known for used in usage.containers.values()),
    )
    at_s = max((usage.at_s for usage in known), default=datetime.now(UTC).timestamp())
    window_s = max((usage.window_s for usage in known), default=0.0)
    return {**_measured("NodeMetrics", node["metadata"], at_s, window_s), "usage": _usage(total)}


def _measured(kind: str, metadata: Obj, at_s: float, window_s: float) -> Obj:
    kept = ("name", "namespace", "labels", "creationTimestamp")
    return {
        "kind": kind,
        "apiVersion": METRICS,
        "metadata": {field: metadata[field] for field in kept if field in metadata},
        "timestamp": timestamp(at_s),
        "window": f"{window_s:g}s",
    }


def _usage(used: Usage) -> dict[str, Any]:
    return {"cpu": f"{round(used.cpu_cores * 1e9)}n", "memory": f"{used.memory_bytes // 1024}Ki"}


def not_served(request: web.Request) -> StoreError:
    """404 for a path that is nothing here."""
    return StoreError(404, "NotFound", "the server could not find the requested resource", {"path": request.path})
