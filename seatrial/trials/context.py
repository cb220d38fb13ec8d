"""What a trial may touch: one cluster, one chart and its contract, and the means to watch and to load them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seatrial import charts
from seatrial.clock import RunClock
from seatrial.clusters.base import Cluster
from seatrial.contract import Contract, merged
from seatrial.traffic.fleet import Fleet
from seatrial.trials.ablation import Ablation
from seatrial.watch.api import Api

RUN_LABEL = "seatrial.dev/run"
HARNESS_LABEL = "seatrial.dev/part"

Manifest = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Injection:
    """What is planted for the kill matrix: nothing, unless a fault, a variant or an ablation says otherwise."""

    values: Mapping[str, Any] = field(default_factory=dict)  # laid over the Helm values of every release
    patch: Callable[[list[Manifest]], list[Manifest]] | None = None  # of the rendered manifests
    ablations: tuple[Ablation, ...] = ()  # what is taken away from the trials


@dataclass(frozen=True)
class TrialContext:
    """The rim: everything outside the process that a trial uses."""

    run_id: str
    cluster: Cluster
    api: Api
    clock: RunClock
    contract: Contract
    chart: Path
    contract_folder: Path  # overlays are beside the contract
    folder: Path  # for what a release needs on disk while it lives
    seed: int
    open_generator: Callable[[], Fleet]
    beacon_namespace: str  # where the known-good Service `beacon` is
    say: Say
    injection: Injection = Injection()

    def injected(self, injection: Injection) -> TrialContext:
        """The same context with something planted."""
        return replace(self, injection=injection)

    def withholds(self, ablation: Ablation) -> bool:
        """This step is to be left out: its ablation is on."""
        return ablation in self.injection.ablations

    def under(self, run_id: str, contract: Contract) -> TrialContext:
        """The same context, with names of its own for what it makes, and a contract that may promise otherwise."""
        return replace(self, run_id=run_id, contract=contract)

    def random(self, purpose: str) -> random.Random:
        """A generator of its own for each purpose: the same seed gives the same run."""
        return random.Random(f"{self.seed}/{purpose}")

    def values(self, *promised: Mapping[str, Any]) -> dict[str, Any]:
        """The Helm values of a release: the contract's, those of the promises under trial, what is planted."""
        return merged(self.contract.values, *promised, self.injection.values)

    def chart_for(self, namespace: str, release: str, values: Mapping[str, Any]) -> Path:
        """The chart to install: the subject's own, or one that emits its patched manifests."""
        if self.injection.patch is None:
            return self.chart
        into = self.folder / f"patched-{namespace}-{random.randrange(16**6):06x}"
        return charts.patched(
            self.chart, self.injection.patch, into=into, release=release, namespace=namespace, values=values
        )
