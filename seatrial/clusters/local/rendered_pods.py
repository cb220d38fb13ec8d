"""The pods of manifests, as a chart writes them: before any default, and before the API has looked at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.errors import InputError

Manifest = Mapping[str, Any]
RUN = ("Pod", "Deployment", "StatefulSet", "ReplicaSet", "Job")  # nobody makes pods of the other kinds
STAY = ("Pod", "Deployment", "StatefulSet", "ReplicaSet")
PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
# Only how the chart is written: what is malformed, the API refuses in its own words.
MALFORMED = (AttributeError, InputError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Pods:
    """Those of one manifest: how they are called, what each is, and how many are wanted."""

    owner: str
    pod: dict[str, Any]
    count: int
    stay: bool

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.pod["spec"]
        return spec

    @property
    def containers(self) -> list[Manifest]:
        """The init containers first."""
        return [*self.spec["initContainers"], *self.spec["containers"]]


def pods_of(manifest: Manifest) -> Iterator[Pods]:
    """Those that the cluster will make of a manifest: one, or none where it makes none or the manifest is malformed."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if kind not in RUN:
        return
    try:
        wanted = manifest["spec"]
        pod = manifest if kind == "Pod" else wanted["template"]
        labels = (pod.get("metadata") or {}).get("labels") or {}
        inits, containers = pod["spec"].get("initContainers") or (), pod["spec"]["containers"]
        own = {"initContainers": [*map(dict, inits)], "containers": [*map(dict, containers)]}
        whole = {"metadata": {"labels": labels}, "spec": {**pod["spec"], **own}}
        yield Pods(f"{kind} {name}", whole, int(wanted.get("replicas", 1) or 0), kind in STAY)
    except MALFORMED:
        return
