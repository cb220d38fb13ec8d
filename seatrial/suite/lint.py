"""All that can be said of a contract and its chart before anything is deployed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from seatrial import charts
from seatrial.chart_values import unknown
from seatrial.clusters.local.cluster import LocalCluster
from seatrial.clusters.local.kubelet.images import ImageMap, ImageNotFound
from seatrial.clusters.local.programs import missing_programs
from seatrial.contract import merged
from seatrial.errors import InputError
from seatrial.suite.awaited import awaited
from seatrial.suite.check import Check
from seatrial.suite.opening import refuse_what_the_cluster_lacks
from seatrial.suite.subject import Subject

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a user should know; an error is one that Helm would refuse."""

    severity: Severity
    text: str


def remarks(subject: Subject, checks: Mapping[str, Check]) -> Iterator[Remark]:
    """What Helm's own lint says of the chart, what the local cluster cannot run or does not heed, and skipped checks.

    Also which of the contract's `values` the chart does not have: Helm passes them over without a word.

    A subject that was read is one that its chart can keep, as far as rendering tells.
    """
    for finding in charts.lint(subject.chart, values=merged(subject.contract.values)):
        severity: Severity = "note" if finding.severity == "info" else finding.severity
        yield Remark(severity, f"{subject.chart.name}, {finding.path}: helm lint says: {finding.message}")
    try:
        refuse_what_the_cluster_lacks(subject, LocalCluster())
    except InputError as refused:
        yield Remark("note", str(refused))
    if waiting := list(awaited(subject)):
        yield Remark(
            "warning",
            f"{'; '.join(waiting)}: neither the chart nor `dependencies` of the contract make it; bring it there, "
            "unless something that the chart starts does",
        )
    if overlooked := LocalCluster().overlooks(subject.manifests):
        yield Remark("note", f"--cluster local takes and does not heed: {'; '.join(overlooked)}")
    for wrong in unknown(subject.chart, subject.contract.values):
        yield Remark("warning", f"values: {wrong}")
    yield from _images(subject)
    for check in checks.values():
        if unmade := check.unmade(subject.contract):
            yield Remark("note", f"{check.id} {check.name} is skipped: the contract has no {unmade}")


def _images(subject: Subject) -> Iterator[Remark]:
    known = ImageMap.of_processes(())
    for recipe in subject.recipes:
        known = known.with_recipe(recipe)
    for image in subject.images:
        try:
            known.find(image)
        except ImageNotFound as missing:
            yield Remark("note", f"--cluster local: {missing}")
    for phrase in missing_programs(subject.manifests, known):
        yield Remark("note", f"--cluster local: {phrase}")
