"""What of a chart the embedded cluster cannot run, said before anything is deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.clusters.local.api.kinds import KINDS
from seatrial.clusters.local.kubelet.neighbours import unwanted
from seatrial.clusters.local.kubelet.node import DEFAULT_SCHEDULER, Capacity, node_object
from seatrial.clusters.local.kubelet.scheduling import unfit
from seatrial.clusters.local.kubelet.volumes import missing_on_host, unknown_kind
from seatrial.errors import InputError

Manifest = Mapping[str, Any]
SERVED = frozenset((kind.api_version, kind.kind) for kind in KINDS.values())
RUN = ("Pod", "Deployment", "StatefulSet", "ReplicaSet", "Job")  # nobody makes pods of the other kinds
STAY = ("Pod", "Deployment", "StatefulSet", "ReplicaSet")
PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
# Only how the chart is written: what is malformed, the API refuses in its own words.
MALFORMED = (AttributeError, InputError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class _Pods:
    """Those of one manifest: how they are called, what each is, and how many are wanted."""

    owner: str
    pod: dict[str, Any]
    count: int
    stay: bool

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.pod["spec"]
        return spec


def lacks(manifests: Sequence[Manifest]) -> list[str]:
    """A phrase for each object of a kind that the API does not serve, and for all that keeps pods from running here.

    What it takes and nobody acts on (DaemonSets, CronJobs, NetworkPolicies) is not among these: a release comes up
    without it.
    """
    pods = [found for manifest in manifests for found in _pods_of(manifest)]
    foreign = [phrase for manifest in manifests for phrase in _foreign(manifest)]
    return [*foreign, *(f"{each.owner}{phrase}" for each in pods for phrase in _kept_from_running(each, pods))]


def _foreign(manifest: Manifest) -> Iterator[str]:
    version, kind = manifest.get("apiVersion"), manifest["kind"]
    if (version, kind) not in SERVED:
        yield f"{kind} {manifest['metadata']['name']}, of {version}, which it does not serve"


def _pods_of(manifest: Manifest) -> Iterator[_Pods]:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if kind not in RUN:
        return
    try:
        wanted = manifest["spec"]
        pod = manifest if kind == "Pod" else wanted["template"]
        labels = (pod.get("metadata") or {}).get("labels") or {}
        whole = {"metadata": {"labels": labels}, "spec": {**pod["spec"], "containers": [*pod["spec"]["containers"]]}}
        yield _Pods(f"{kind} {name}", whole, int(wanted.get("replicas", 1) or 0), kind in STAY)
    except MALFORMED:
        return


def _kept_from_running(pods: _Pods, all_pods: Iterable[_Pods]) -> Iterator[str]:
    try:
        yield from _probes(pods.spec)
        yield from _volumes(pods.spec)
        yield from _placing(pods, all_pods)
    except MALFORMED:
        return


def _probes(spec: Manifest) -> Iterator[str]:
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        for probe in PROBES:
            if "grpc" in (container.get(probe) or {}):
                yield f", container {container.get('name')}: a {probe} over gRPC, which it does not make"


def _volumes(spec: Manifest) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        name = f", volume {volume['name']}: "
        if kind := unknown_kind(volume):
            yield f"{name}one of kind {kind}, which it does not have"
        if "hostPath" in volume and (missing := missing_on_host(volume["hostPath"])):
            yield f"{name}{missing}, where it makes none"


def _placing(pods: _Pods, all_pods: Iterable[_Pods]) -> Iterator[str]:
    spec, node = pods.spec, node_object(Capacity.default())
    if spec.get("runtimeClassName"):
        yield f": the RuntimeClass {spec['runtimeClassName']}, which it does not have"
    if (scheduler := spec.get("schedulerName") or DEFAULT_SCHEDULER) != DEFAULT_SCHEDULER:
        yield f": pods that wait for the scheduler {scheduler}, which it does not have"
    beside = [each.pod for each in all_pods if each.stay and each.count > (each is pods)]
    if reasons := [*unfit(pods.pod, node, ()), *unwanted(pods.pod, node, beside)]:
        yield f": pods that its one node does not take ({', '.join(reasons)})"
