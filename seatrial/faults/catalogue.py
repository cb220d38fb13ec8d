"""Which rows a chart has: its own server faults and mutants, the shared mutants that fit it, an ablation a check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seatrial import charts
from seatrial.contract import Contract, merged
from seatrial.documents import read_yaml
from seatrial.errors import InputError
from seatrial.faults import mutants, server
from seatrial.faults.row import Row, refuse_unknown
from seatrial.suite.check import Check
from seatrial.suite.registry import selected
from seatrial.suite.subject import NAMESPACE, Subject
from seatrial.trials.context import RELEASE, Injection, Manifest
from seatrial.trials.overlay import read_overlay


def rows(subject: Subject, checks: Mapping[str, Check], shared: Path) -> list[Row]:
    """Every row of a chart, each with those of its checks that the contract makes apply.

    `shared` is the folder of the mutants that are no chart's own. Raises InputError for files that declare nothing
    that can be planted, for an id given twice, and for a check that does not exist.
    """
    found: dict[str, Row] = {}
    for row in _all(subject, checks, shared):
        if row.id in found:
            raise InputError(f"{subject.file.parent}: expected one row called {row.id}, found two; rename one's file")
        found[row.id] = row
    return list(found.values())


def chosen(known: Iterable[Row], words: Iterable[str], checks: Mapping[str, Check]) -> list[Row]:
    """The rows named by id, or by the id, the name or the group of checks; all when none is named.

    Raises InputError naming what is neither a row nor a check.
    """
    named, all_rows = set(words), list(known)
    try:
        named |= set(selected(checks, sorted(named - {row.id for row in all_rows})))
    except InputError as unknown:
        raise InputError(f"expected the id of a fault, or of checks: {unknown}; --list has the faults") from None
    found = []
    for row in all_rows:
        wanted = tuple(id for id in row.checks if not named or row.id in named or id in named)
        if wanted:
            found.append(replace(row, checks=wanted))
    return found


def _all(subject: Subject, checks: Mapping[str, Check], shared: Path) -> Iterator[Row]:
    contract, folder = subject.contract, subject.file.parent
    planted, own = server.declared(folder / "faults"), mutants.own(folder / "mutants")
    shared_mutants = list(mutants.shared(shared))
    for fault in planted:
        refuse_unknown(fault.where, fault.checks, checks)
    for mutant in (*own, *shared_mutants):
        refuse_unknown(mutant.where, mutant.checks, checks)
    for row in [*_server_rows(subject, planted, folder / "faults"), *(mutant.row(contract) for mutant in own)]:
        yield from _applying(row, row.under(contract), checks)
    manifests = as_scaled(subject)
    for mutant in shared_mutants:
        if _apply(mutant.checks, contract, checks) and mutant.applies(manifests, contract):
            yield from _applying(mutant.row(contract), contract, checks)
    for id in _apply(checks, contract, checks):
        if ablations := checks[id].ablations:
            missing = "; ".join(ablation.missing for ablation in ablations)
            yield Row(f"ablation:{id}", "ablation", (id,), missing, Injection(ablations=ablations))


def _apply(ids: Iterable[str], contract: Contract, checks: Mapping[str, Check]) -> tuple[str, ...]:
    """Those of these checks that the contract makes apply."""
    return tuple(id for id in ids if id in checks and not checks[id].unmade(contract))


def _applying(row: Row, contract: Contract, checks: Mapping[str, Check]) -> Iterator[Row]:
    if ids := _apply(row.checks, contract, checks):
        yield replace(row, checks=ids)


def as_scaled(subject: Subject) -> list[Manifest]:
    """What the trials install that have the most beside the server: the autoscaler, from the chart or an overlay."""
    scaling = subject.contract.autoscaling
    if scaling is None:
        return list(subject.manifests)
    manifests = subject.rendered(merged(subject.contract.values, scaling.values))
    if scaling.overlay:
        name = subject.workload.name or RELEASE
        manifests += read_overlay(subject.file.parent / scaling.overlay, release=name, namespace=NAMESPACE)
    return manifests


def _server_rows(subject: Subject, declared: Iterable[server.Declared], folder: Path) -> Iterator[Row]:
    for planted in declared:
        if subject.contract.faults is None:
            raise InputError(
                f"{subject.file}, faults.environment: expected the Helm value that gives variables to the server's "
                f"environment, by which the defects in {folder} are planted, found none; write `faults: "
                "{environment: VALUE}`"
            )
        path = subject.contract.faults.environment
        values = charts.with_value(
            subject.chart, {}, path, _variable(subject, server.VARIABLES[planted.kind], planted.id)
        )
        yield Row(
            planted.id,
            planted.kind,
            planted.checks,
            planted.description,
            Injection(values),
            planted.id if planted.kind == "fault" else "",
            merged(_kept(subject, path), planted.contract),
        )


def _variable(subject: Subject, name: str, value: str) -> Any:
    """A variable as the chart's value takes it: in a mapping, or in a list of env entries."""
    assert subject.contract.faults is not None
    is_mapping = isinstance(_default(subject, subject.contract.faults.environment), Mapping)
    return {name: value} if is_mapping else [{"name": name, "value": value}]


def _kept(subject: Subject, path: str) -> dict[str, Any]:
    """Promises under which the entries of the chart's own list stay: to Helm, a list in the values replaces it."""
    default = _default(subject, path)
    if not isinstance(default, list) or not default or _at(subject.contract.values, path) is not None:
        return {}
    return {"values": charts.with_value(subject.chart, {}, path, default)}


def _default(subject: Subject, path: str) -> Any:
    return _at(read_yaml(subject.chart / "values.yaml", "the chart's values") or {}, path)


def _at(values: Mapping[str, Any], path: str) -> Any:
    try:
        return charts.value_at(values, path)
    except InputError:
        return None
