"""What a trial may touch: one cluster, one chart and its contract, and the means to watch and to load them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seatrial import charts
from seatrial.clock import RunClock
from seatrial.clusters.base import Cluster
from seatrial.contract import Contract, merged
from seatrial.contract.workloads import default_of
from seatrial.errors import InputError
from seatrial.observation import Workload
from seatrial.traffic.fleet import Fleet
from seatrial.trials.ablation import Ablation
from seatrial.trials.limit import TimeLimit
from seatrial.watch.api import Api

RELEASE = "subject"  # the name of the Helm release of every sandbox
RUN_LABEL = "seatrial.dev/run"
CORDONED = "seatrial.dev/cordoned-by"  # an annotation of a node, with the run that closed it
HARNESS_LABEL = "seatrial.dev/part"

Manifest = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Injection:
    """What is planted for the kill matrix: nothing, unless a fault, a variant or an ablation says otherwise."""

    values: Mapping[str, Any] = field(default_factory=dict)  # laid over the Helm values of every release
    patch: Callable[[list[Manifest]], list[Manifest]] | None = None  # of the rendered manifests
    ablations: tuple[Ablation, ...] = ()  # what is taken away from the trials


class ContractRefuted(InputError):
    """What the contract says of the service is not so: it ends the run, not only the trial."""


class WorkloadNotFound(ContractRefuted):
    """A workload made at run time, its container or its port is not there."""


class CasesNotAnswered(ContractRefuted):
    """A Ready pod answers every case as a request that is none of its API."""


@dataclass(frozen=True)
class TrialContext:
    """The rim: everything outside the process that a trial uses."""

    run_id: str
    cluster: Cluster
    api: Api
    clock: RunClock
    contract: Contract
    chart: Path
    contract_file: Path  # overlays are beside it
    capabilities: charts.Capabilities  # of the cluster
    workloads: Mapping[str, Workload]  # as the chart renders them, by their names in the contract
    folder: Path  # for what a release needs on disk while it lives
    seed: int
    open_generator: Callable[[], Fleet]
    beacon_namespace: str  # where the known-good Service `beacon` is
    probe_agent: str  # the user agent of its kubelets' probes
    say: Say
    injection: Injection = Injection()
    watches: frozenset[str] = frozenset()  # kinds that the trial watches beside the usual ones
    answered: set[str] = field(default_factory=set)  # in this run, rightly: APIs, by their places in the contract
    limit: TimeLimit = field(default_factory=lambda: TimeLimit(math.inf))  # of the trial that runs

    @property
    def subject(self) -> Workload:
        """The workload under load."""
        return self.workloads[default_of(self.contract.on_trial)]

    def watching(self, kinds: Iterable[str]) -> TrialContext:
        """The same context for a trial that watches more kinds."""
        return replace(self, watches=self.watches | set(kinds))

    def limited(self, limit: TimeLimit) -> TrialContext:
        """The same context for a trial that may take so long."""
        return replace(self, limit=limit)

    def injected(self, injection: Injection) -> TrialContext:
        """The same context with something planted."""
        return replace(self, injection=injection)

    @property
    def is_planted(self) -> bool:
        """Something is planted: whatever is seen then is to be judged, and says nothing of the contract."""
        return self.injection != Injection()

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

    def chart_for(
        self, namespace: str, release: str, values: Mapping[str, Any], replicas: int, *, upgrade: bool
    ) -> Path:
        """The chart to install: the subject's own, or one that emits its manifests with what has to be other in them.

        That is what is planted, and the number of pods where no value governs it.
        """
        patches = [self.injection.patch] if self.injection.patch else []
        if self.subject.kind and not self.contract.subject.replicas:
            patches.insert(0, lambda manifests: with_replicas(manifests, self.subject, replicas))
        if not patches:
            return self.chart

        def patch(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
            for change in patches:
                manifests = change(manifests)
            return manifests

        into = self.folder / f"patched-{namespace}-{random.randrange(16**6):06x}"
        return charts.patched(
            self.chart,
            patch,
            into=into,
            release=release,
            namespace=namespace,
            values=values,
            capabilities=self.capabilities,
            upgrade=upgrade,
        )


def with_replicas(manifests: Sequence[Mapping[str, Any]], workload: Workload, replicas: int) -> list[dict[str, Any]]:
    """The same manifests, so many pods wanted of the workload."""
    return [
        {**manifest, "spec": {**manifest["spec"], "replicas": replicas}}
        if (manifest["kind"], manifest["metadata"]["name"]) == (workload.kind, workload.name)
        else dict(manifest)
        for manifest in manifests
    ]
