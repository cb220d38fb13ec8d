"""What a chart makes of a contract's values, before anything is deployed: what promises are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.observation import Workload

if TYPE_CHECKING:
    from seatrial.contract.contract import Contract

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A chart as rendered for a contract.

    `pod_spec` is that of the workload's pods, None where they are made at run time. `folder` is the contract's, and
    `overlay` gives the manifests of a file in it, `changed` what the chart renders with one Helm value set otherwise.
    They raise InputError: for a file that holds anything else, and for a value that the chart does not have.
    """

    contract: Contract
    manifests: Sequence[Manifest]
    workload: Workload  # under load
    pod_spec: Manifest | None
    folder: Path
    overlay: Callable[[str], Sequence[Manifest]]
    changed: Callable[[str, object], Sequence[Manifest]]

    def has(self, kind: str) -> bool:
        """Whether the chart renders an object of this kind."""
        return any(manifest["kind"] == kind for manifest in self.manifests)

    def probes(self, kind: str) -> bool:
        """Whether the container that serves may have an HTTP probe: "readiness" or "liveness". Unknown is no no."""
        if self.pod_spec is None:
            return True
        container = self.contract.subject.container
        serving = next(c for c in self.pod_spec["containers"] if container in ("", c["name"]))
        return bool((serving.get(f"{kind}Probe") or {}).get("httpGet"))

    def has_probe(self, kind: str) -> bool:
        """Whether that container may have a probe of this kind at all: HTTP, TCP, exec or gRPC."""
        if self.pod_spec is None:
            return True
        container = self.contract.subject.container
        serving = next(c for c in self.pod_spec["containers"] if container in ("", c["name"]))
        return bool(serving.get(f"{kind}Probe"))

    def grace_s(self) -> float:
        """terminationGracePeriodSeconds of the pods; Kubernetes' default where it is not rendered."""
        return float((self.pod_spec or {}).get("terminationGracePeriodSeconds", DEFAULT_GRACE_S))


DEFAULT_GRACE_S = 30  # Kubernetes, API reference, PodSpec
