"""What of a chart the embedded cluster cannot run, said before anything is deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from seatrial.clusters.local.api.kinds import KINDS
from seatrial.clusters.local.kubelet.neighbours import unwanted
from seatrial.clusters.local.kubelet.node import DEFAULT_SCHEDULER, Capacity, node_object
from seatrial.clusters.local.kubelet.scheduling import unfit
from seatrial.clusters.local.kubelet.volumes import missing_on_host, unknown_kind
from seatrial.clusters.local.rendered_pods import MALFORMED, PROBES, Pods, pods_of

Manifest = Mapping[str, Any]
SERVED = frozenset((kind.api_version, kind.kind) for kind in KINDS.values())


def lacks(manifests: Sequence[Manifest]) -> list[str]:
    """A phrase for each object of a kind that the API does not serve, and for all that keeps pods from running here.

    What it takes and nobody acts on (DaemonSets, CronJobs, NetworkPolicies) is not among these: a release comes up
    without it.
    """
    pods = [found for manifest in manifests for found in pods_of(manifest)]
    foreign = [phrase for manifest in manifests for phrase in _foreign(manifest)]
    return [*foreign, *(f"{each.owner}{phrase}" for each in pods for phrase in _kept_from_running(each, pods))]


def _foreign(manifest: Manifest) -> Iterator[str]:
    version, kind = manifest.get("apiVersion"), manifest["kind"]
    if (version, kind) not in SERVED:
        yield f"{kind} {manifest['metadata']['name']}, of {version}, which it does not serve"


def _kept_from_running(pods: Pods, all_pods: Iterable[Pods]) -> Iterator[str]:
    try:
        yield from _probes(pods)
        yield from _volumes(pods.spec)
        yield from _placing(pods, all_pods)
    except MALFORMED:
        return


def _probes(pods: Pods) -> Iterator[str]:
    for container in pods.containers:
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


def _placing(pods: Pods, all_pods: Iterable[Pods]) -> Iterator[str]:
    spec, node = pods.spec, node_object(Capacity.default())
    if spec.get("runtimeClassName"):
        yield f": the RuntimeClass {spec['runtimeClassName']}, which it does not have"
    if (scheduler := spec.get("schedulerName") or DEFAULT_SCHEDULER) != DEFAULT_SCHEDULER:
        yield f": pods that wait for the scheduler {scheduler}, which it does not have"
    beside = [each.pod for each in all_pods if each.stay and each.count > (each is pods)]
    if reasons := [*unfit(pods.pod, node, ()), *unwanted(pods.pod, node, beside)]:
        yield f": pods that its one node does not take ({', '.join(reasons)})"
