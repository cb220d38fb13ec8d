"""What changed between two versions of an object, as sets of fields.

Source: sigs.k8s.io/structured-merge-diff, typed.Compare.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from seatrial.clusters.local.api.fieldset import Path, element
from seatrial.clusters.local.api.schema import Type


@dataclass(frozen=True, slots=True)
class Comparison:
    """Fields that are new or have another value, and fields that are gone."""

    changed: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compare(type_: Type, old: Any, new: Any) -> Comparison:
    """The difference between two values of a type; None stands for "not there"."""
    found = Comparison()
    _walk(type_, old, new, (), found)
    return found


def _walk(type_: Type, old: Any, new: Any, path: Path, found: Comparison) -> None:
    if old == new:
        return
    if type_.atomic or type_.shape in ("scalar", "any"):
        (found.removed if new is None else found.changed).add(path)
        return
    # A Go struct that is no pointer is always there: only what is in it can be new.
    if path and not type_.always:
        if old is None:
            found.changed.add(path)
        elif new is None:
            found.removed.add(path)
    for child, before, after, here in _children(type_, old, new, path):
        _walk(child, before, after, here, found)


def _children(type_: Type, old: Any, new: Any, path: Path) -> Iterable[tuple[Type, Any, Any, Path]]:
    if type_.shape == "list" and type_.element is not None:
        before = {element(type_, item): item for item in old or ()}
        after = {element(type_, item): item for item in new or ()}
        for name in before.keys() | after.keys():
            yield type_.element, before.get(name), after.get(name), (*path, name)
        return
    before, after = old or {}, new or {}
    for key in before.keys() | after.keys():
        child = type_.fields.get(key) if type_.shape == "struct" else type_.element
        if child is not None:
            yield child, before.get(key), after.get(key), (*path, f"f:{key}")
