"""What of a chart the embedded cluster takes and does not heed: it is kinder there than Kubernetes, and says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seatrial.clusters.local.kubelet.hosts import of_the_cluster
from seatrial.clusters.local.rendered_pods import PROBES, Pods, pods_of

Manifest = Mapping[str, Any]
KINDS = {
    "NetworkPolicy": "keeps nobody out",
    "Ingress": "leads nowhere",
    "DaemonSet": "gets no pods",
    "CronJob": "gets no pods",
    "Role": "forbids nothing: every account may do everything",
    "ClusterRole": "forbids nothing: every account may do everything",
}
GIVEN = ("command", "args", "env")
LOOPBACK = re.compile(r"\b(localhost|127\.0\.0\.1)\b|\[::1\]")


def overlooks(manifests: Sequence[Manifest]) -> list[str]:
    """A phrase for each object and each field of pods that have another effect here, or none."""
    of_kinds = [f"{m['kind']} {m['metadata']['name']} {KINDS[m['kind']]}" for m in manifests if m["kind"] in KINDS]
    unfound = [phrase for manifest in manifests for phrase in _unfound(manifest)]
    pods = [found for manifest in manifests for found in pods_of(manifest)]
    return [*of_kinds, *unfound, *(f"{each.owner}: {phrase}" for each in pods for phrase in _of_pods(each))]


def _unfound(manifest: Manifest) -> Iterator[str]:
    spec = manifest.get("spec")
    if manifest["kind"] != "Service" or not isinstance(spec, Mapping) or spec.get("type") != "ExternalName":
        return
    if not of_the_cluster(name := str(spec.get("externalName", ""))):
        yield f"Service {manifest['metadata']['name']} does not lead to {name}, which is no Service of the cluster"


def _of_pods(pods: Pods) -> Iterator[str]:
    containers = pods.containers
    if any("limits" in (each.get("resources") or ()) for each in containers):
        yield "limits of CPU and memory hold nobody back"
    for container in containers:
        if asked := [f"its {where}" for where, how in _inside(container) if _is_local(how)]:
            yield f"in container {container.get('name')} {' and '.join(asked)} asks localhost, which is the machine's"
        if _has_sidecars(pods) and (named := [key for key in GIVEN if _is_local(container.get(key))]):
            yield f"in container {container.get('name')} localhost (in its {' and '.join(named)}) is the machine's"


def _is_local(given: Any) -> bool:
    return bool(LOOPBACK.search(json.dumps(given)))


def _has_sidecars(pods: Pods) -> bool:
    """Whether containers run side by side, so that one may ask another."""
    inits, others = pods.spec["initContainers"], pods.spec["containers"]
    return len([*others, *(each for each in inits if each.get("restartPolicy") == "Always")]) > 1


def _inside(container: Manifest) -> Iterator[tuple[str, Any]]:
    """What is run in the container by the kubelet, and where it is written."""
    for probe in PROBES:
        if isinstance(given := container.get(probe), Mapping) and "exec" in given:
            yield probe, given["exec"]
    hooks = container.get("lifecycle")
    for hook, given in hooks.items() if isinstance(hooks, Mapping) else ():
        if isinstance(given, Mapping) and "exec" in given:
            yield f"{hook} hook", given["exec"]
