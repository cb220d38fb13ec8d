"""What has to be there before a release: brought into its namespace, each server behind a gate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from seatrial.clusters.base import Cluster
from seatrial.contract import Contract, SecretValues
from seatrial.dependencies.kinds import Planned, plan
from seatrial.errors import InputError
from seatrial.images import AGENT
from seatrial.observation import ObservedDependency
from seatrial.trials.context import TrialContext
from seatrial.trials.overlay import cluster_wide_path, object_path, read_overlay
from seatrial.trials.sandbox.dependency import BroughtDependency


class Dependencies:
    """Those of one sandbox. `marks` gets a moment's name for each switch of a gate."""

    def __init__(self, context: TrialContext, namespace: str, marks: dict[str, float]) -> None:
        self._context, self._namespace, self._marks = context, namespace, marks
        self._brought: dict[str, BroughtDependency] = {}

    def bring(self) -> None:
        """Bring all of them, side by side, and return when each answers.

        Raises InputError for files of the contract that are wrong, variables that are not set and kinds of the whole
        cluster that are missing; ClusterError for a server that does not come up, with the last lines of its log.
        """
        context, file = self._context, self._context.contract_file
        for name, dependency in context.contract.dependencies.root.items():
            if dependency.manifests:
                self._apply(f"{file}, dependencies.{name}.manifests", file.parent / dependency.manifests)
            if dependency.secret:
                secret = secret_of(f"{file}, dependencies.{name}.secret", dependency.secret)
                context.api.apply(object_path(context.api, self._namespace, secret), secret)
        for planned in planned_for(context.cluster, context.contract, file):
            self._brought[planned.name] = BroughtDependency(context, self._namespace, self._marks, planned)
            self._brought[planned.name].make()
        with ThreadPoolExecutor(max(1, len(self._brought))) as waiting:
            list(waiting.map(BroughtDependency.come_up, self._brought.values()))

    def __getitem__(self, name: str) -> BroughtDependency:
        """One that Seatrial brings, by its name in the contract. Raises InputError for any other."""
        if name not in self._brought:
            known = ", ".join(self._brought) or "none"
            raise InputError(
                f"{self._context.contract_file}, dependencies.{name}: expected one that Seatrial brings ({known}), "
                "found another name; correct it"
            )
        return self._brought[name]

    def observed(self) -> tuple[ObservedDependency, ...]:
        """What was done to each, and what it was asked for."""
        return tuple(dependency.observed() for dependency in self._brought.values())

    def _apply(self, key: str, file: Path) -> None:
        api = self._context.api
        for manifest in read_overlay(file, namespace=self._namespace):
            if not (path := cluster_wide_path(api, manifest)):
                api.apply(object_path(api, self._namespace, manifest), manifest)
            elif api.find(path) is None:
                # Sandboxes share it, and it would stay when they are gone: neither made nor changed here.
                raise InputError(
                    f"{key}: expected {manifest['kind']} {manifest['metadata']['name']} in the cluster, whose whole it "
                    "belongs to, found none; create it there before the run"
                )


def planned_for(cluster: Cluster, contract: Contract, contract_file: Path) -> Iterator[Planned]:
    """How each dependency that Seatrial brings is brought on this cluster. Raises InputError as `plan` does."""
    for name in contract.dependencies.brought:
        dependency, agent = contract.dependencies.root[name], cluster.pod_image(AGENT)
        yield plan(name, dependency, contract_file, agent, images=cluster.pulls)


def refuse_what_cannot_be_brought(cluster: Cluster, contract: Contract, contract_file: Path) -> tuple[str, ...]:
    """The images that dependencies run, Seatrial's own left out.

    Raises InputError for whatever can be known to fail before a run.
    """
    for name, dependency in contract.dependencies.root.items():
        if dependency.manifests:
            read_overlay(contract_file.parent / dependency.manifests, namespace="seatrial")
        if dependency.secret:
            secret_of(f"{contract_file}, dependencies.{name}.secret", dependency.secret)
    planned = list(planned_for(cluster, contract, contract_file))
    return tuple(dependency.server.image for dependency in planned if dependency.server.image != dependency.agent)


def secret_of(key: str, wanted: SecretValues) -> dict[str, Any]:
    """The Secret with its values from the environment. Raises InputError for a variable that is not set."""
    data = {}
    for name, source in wanted.values.items():
        if source.env not in os.environ:
            raise InputError(
                f"{key}.values.{name}: expected the variable {source.env} in the environment, found it not set; "
                "export it before the run"
            )
        data[name] = os.environ[source.env]
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": wanted.name}, "stringData": data}
