"""A setting that a trial changes while the release stands, and whether the change reached the pods.

A chart that keeps its configuration in a ConfigMap and not in the pod template changes the one and leaves the pods
alone (Kubernetes, "ConfigMaps": what a container has from one as environment is fixed when it starts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.observation import Pod
from seatrial.trials.sandbox import Sandbox

REPLACED_WITHIN_S = 60.0
NOT_REPLACED = "the pods are those from before the change of"  # the Helm value follows
ROLL_OUT = (
    "let a change of configuration replace the pods, for instance by a checksum of the ConfigMap among the annotations "
    "of the pod template"
)


@dataclass(frozen=True, slots=True)
class Changed:
    """The pods after a change. Those from before it are among them where it replaced none."""

    pods: tuple[Pod, ...]
    replaced: bool


def changed(sandbox: Sandbox, values: Mapping[str, Any], before: Sequence[Pod], replicas: int) -> Changed:
    """Upgrade to other values, and wait until all pods are others. A rollout that never comes is no error here."""
    sandbox.release.upgrade(values, replicas=replicas)
    replaced = sandbox.workload().wait_replaced(before, REPLACED_WITHIN_S)
    return Changed(sandbox.workload().wait_pods(replicas, sandbox.context.contract.ready_within_s), replaced)
