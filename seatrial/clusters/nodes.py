"""Which pods of a chart no node of a real cluster takes, however empty it is: by the filters of its scheduler."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from seatrial.clusters.local.kubelet.scheduling import unfit
from seatrial.clusters.local.rendered_pods import MALFORMED, Pods, pods_of

Manifest = Mapping[str, Any]


def without_a_node(
    manifests: Sequence[Manifest], nodes: Sequence[Manifest], runtime_classes: Collection[str]
) -> Iterator[str]:
    """A phrase for each workload whose pods want a RuntimeClass, devices, sizes or labels that there are none of.

    `nodes` are as the API has them. Whether one is cordoned now, and who allocates resource claims, is not looked at.
    """
    for pods in (found for manifest in manifests for found in pods_of(manifest)):
        wanted = pods.spec.get("runtimeClassName")
        if wanted and wanted not in runtime_classes:
            yield f"{pods.owner}: the RuntimeClass {wanted}, which it does not have"
        if reasons := _kept_off(pods, nodes):
            yield f"{pods.owner}: pods that none of its nodes takes ({', '.join(reasons)})"


def _kept_off(pods: Pods, nodes: Sequence[Manifest]) -> list[str]:
    """What keeps pods off the node that suits them best; nothing where one takes them."""
    pod = {**pods.pod, "spec": {**pods.spec, "resourceClaims": []}}
    try:
        by_node = [
            unfit(pod, {**node, "spec": {**(node.get("spec") or {}), "unschedulable": False}}, ()) for node in nodes
        ]
    except MALFORMED:
        return []
    return min(by_node, key=len, default=[])
