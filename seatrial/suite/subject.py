"""What is put on trial: a contract and a chart that can keep it, checked before anything is deployed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seatrial import charts
from seatrial.chart_values import unknown
from seatrial.charts import Capabilities
from seatrial.clusters.base import Cluster
from seatrial.clusters.local.capabilities import local_capabilities
from seatrial.clusters.recipe import Recipe, read_recipe
from seatrial.contract import Contract, merged, read_contract
from seatrial.contract.rendered import Rendered
from seatrial.contract.values import governed_by_key
from seatrial.contract.workloads import DeclaredWorkload, default_of, pod_spec, resolved
from seatrial.errors import InputError
from seatrial.images import of_subject
from seatrial.observation import Workload
from seatrial.trials.asking import refuse_unaskable
from seatrial.trials.context import RELEASE
from seatrial.trials.credentials import missing_credentials
from seatrial.trials.overlay import read_overlay
from seatrial.watch.api import Api
from seatrial.watch.capabilities import capabilities_of

Manifest = dict[str, Any]
NAMESPACE = "seatrial"


@dataclass(frozen=True, slots=True)
class Subject:
    """A contract that its chart can keep, as far as rendering tells."""

    contract: Contract
    file: Path
    chart: Path
    manifests: tuple[Manifest, ...]
    recipes: tuple[Recipe, ...]
    workloads: Mapping[str, Workload]  # as rendered, by their names in the contract
    capabilities: Capabilities  # of the cluster that it is rendered for

    @property
    def workload(self) -> Workload:
        """The one under load."""
        return self.workloads[default_of(self.contract.on_trial)]

    @property
    def images(self) -> list[str]:
        """What the cluster has to get for this subject."""
        return of_subject(self.manifests, self.recipes)

    def rendered(self, values: Mapping[str, Any]) -> list[Manifest]:
        """What the chart makes of these values; the cluster is asked, where it is up."""
        return _rendered(self.chart, values, self.capabilities)

    def rendered_offline(self, values: Mapping[str, Any]) -> list[Manifest]:
        """The same by what is known of the cluster, which may be busy or gone."""
        return _rendered(self.chart, values, replace(self.capabilities, kubeconfig=None))

    def on(self, cluster: Cluster) -> Subject:
        """The same contract, held against what this cluster, which is up, would install.

        Raises InputError as `read_subject` does, ClusterError where the cluster does not answer.
        """
        kubeconfig, context = cluster.kubeconfig(), cluster.context
        capabilities = capabilities_of(Api.connect(kubeconfig, context), kubeconfig, context)
        return _held_against_chart(self.contract, self.file, self.chart, capabilities)

    @property
    def digest(self) -> str:
        """SHA-256 over the chart's files, names included; bytecode of planted defects is none of them."""
        sum_ = hashlib.sha256()
        for file in sorted(path for path in self.chart.rglob("*") if path.is_file() and path.suffix != ".pyc"):
            sum_.update(str(file.relative_to(self.chart)).encode() + b"\0" + file.read_bytes())
        return sum_.hexdigest()


def read_subject(path: Path) -> Subject:
    """The contract at path (a file, or the chart's folder), held against its chart as the embedded cluster takes it.

    Raises InputError for a chart that is missing or does not render, for a Helm value that the chart does not
    have, and for a promise that what it renders cannot keep; each message names the key.
    """
    contract = read_contract(path)
    file = path / "contract.yaml" if path.is_dir() else path
    refuse_unaskable(contract, file)
    chart = (file.parent / contract.chart).resolve()
    if not (chart / "Chart.yaml").is_file():
        raise InputError(f"{file}, chart: expected a chart in {chart}, found no Chart.yaml there; correct the path")
    charts.refuse_missing_subcharts(chart)
    return _held_against_chart(contract, file, chart, local_capabilities())


def _held_against_chart(contract: Contract, file: Path, chart: Path, capabilities: Capabilities) -> Subject:
    values = dict(contract.values)
    for key, setting in governed_by_key(contract):
        try:
            values = charts.with_value(chart, values, setting.value, setting.set)
        except InputError as refused:
            raise InputError(f"{file}, {key}: {refused}") from None
    for name, declared in contract.on_trial.items():
        if declared.replicas:
            key = f"workloads.{name}.replicas" if name else "replicas"
            values = _with_replicas(chart, values, f"{file}, {key}", declared)
    for promised in (contract.probes.readiness, contract.probes.liveness):
        if promised.value:
            charts.with_value(chart, values, promised.value, {})
    for kind, taken in (contract.weights.each() if contract.weights else {}).items():
        if wrong := next(unknown(chart, taken), None):
            raise InputError(f"{file}, weights.{kind}: {wrong}")
    if contract.faults:
        charts.with_value(chart, values, contract.faults.environment, [])
    manifests = _rendered(chart, merged(contract.values), capabilities)
    try:
        workloads = resolved(contract.on_trial, manifests, RELEASE)
    except InputError as refused:
        raise InputError(f"{file}, {refused}") from None
    subject = Subject(contract, file, chart, tuple(manifests), tuple(_recipes(contract, file)), workloads, capabilities)
    if broken := next(_cannot_keep(subject), None):
        raise InputError(f"{file}, {broken}")
    return subject


def _rendered(chart: Path, values: Mapping[str, Any], capabilities: Capabilities) -> list[Manifest]:
    return charts.render(chart, release=RELEASE, namespace=NAMESPACE, values=values, capabilities=capabilities)


def _with_replicas(chart: Path, values: dict[str, Any], key: str, declared: DeclaredWorkload) -> dict[str, Any]:
    try:
        return charts.with_value(chart, values, declared.replicas, 1)
    except InputError as refused:
        raise InputError(
            f"{key}: expected the Helm value that governs the number of pods, found {declared.replicas}"
            f"{', the default' if 'replicas' not in declared.model_fields_set else ''}: {refused}; "
            f'write `replicas: PATH`, or "" where no value does'
        ) from None


def _recipes(contract: Contract, file: Path) -> Iterator[Recipe]:
    """Raises InputError for a file that is no recipe, and for two of one image."""
    files: dict[str, str] = {}
    for name in contract.images:
        try:
            recipe = read_recipe(file.parent / name)
        except InputError as broken:
            raise InputError(f"{file}, images: expected recipes of the chart's images, found {broken}") from None
        if (before := files.setdefault(recipe.repository, name)) != name:
            raise InputError(
                f"{file}, images: expected one recipe for each image, found {before} and {name} for "
                f"{recipe.repository}; leave one out"
            )
        yield recipe


def _cannot_keep(subject: Subject) -> Iterator[str]:
    contract, workload, folder = subject.contract, subject.workload, subject.file.parent

    def changed(value: str, set: object) -> list[Manifest]:
        return subject.rendered(charts.with_value(subject.chart, merged(contract.values), value, set))

    rendered = Rendered(
        contract=contract,
        manifests=subject.manifests,
        workload=workload,
        pod_spec=pod_spec(workload, subject.manifests),
        folder=folder,
        overlay=lambda name: read_overlay(folder / name, release=workload.name, namespace=NAMESPACE),
        changed=changed,
    )
    yield from contract.cannot_keep(rendered)
    yield from missing_credentials(contract, subject.manifests, workload.name)
