"""What of a chart the embedded cluster cannot run, said before anything is deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seatrial.clusters.local.api.kinds import KINDS

Manifest = Mapping[str, Any]
SERVED = frozenset((kind.api_version, kind.kind) for kind in KINDS.values())
PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


def lacks(manifests: Iterable[Manifest]) -> list[str]:
    """A phrase for each object of a kind that the API does not serve, and for each probe that the kubelet cannot make.

    What it takes and nobody acts on (DaemonSets, CronJobs, NetworkPolicies) is not among these: a release comes up
    without it.
    """
    return [phrase for manifest in manifests for phrase in _lacks(manifest)]


def _lacks(manifest: Manifest) -> Iterator[str]:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if (manifest.get("apiVersion"), kind) not in SERVED:
        yield f"{kind} {name}, of {manifest.get('apiVersion')}, which it does not serve"
    for container in _containers(manifest):
        for probe in PROBES:
            if "grpc" in (container.get(probe) or {}):
                yield f"{kind} {name}, container {container.get('name')}: a {probe} over gRPC, which it does not make"


def _containers(manifest: Manifest) -> Iterator[Manifest]:
    spec = manifest.get("spec") or {}
    template = spec.get("template") or {} if isinstance(spec, Mapping) else {}
    pod = spec if manifest["kind"] == "Pod" else (template.get("spec") or {} if isinstance(template, Mapping) else {})
    for key in ("initContainers", "containers"):
        yield from (pod.get(key) or ()) if isinstance(pod, Mapping) else ()
