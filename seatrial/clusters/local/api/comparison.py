"""What changed between two versions of an object, as sets of fields.

Source: sigs.k8s.io/structured-merge-diff, typed.Compare.
"""

from __future__ import annotations

from collections import Counter
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
    _walk(type_, old, new, (), True, found)
    return found


def _walk(
    type_: Type, old: Any, new: Any, path: Path, was_parent: bool, found: Comparison, *, in_map: bool = False
) -> None:
    if old == new:
        return
    # A field without omitempty was there with its zero value, if what holds it was.
    was_zero = old is None and type_.always and was_parent
    if type_.atomic or type_.shape in ("scalar", "any"):
        # An empty string is what Go writes for nothing, but in a map it is something.
        if not (was_zero and new in ({}, [])) and not (old is None and new == "" and not in_map):
            (found.removed if new is None else found.changed).add(path)
        return
    if old is None and not was_zero and path:
        found.changed.add(path)
    elif new is None:
        found.removed.add(path)
    for child, before, after, here in _children(type_, old, new, path):
        there = old is not None or was_zero or not path
        _walk(child, before, after, here, there, found, in_map=type_.shape == "map")


def _children(type_: Type, old: Any, new: Any, path: Path) -> Iterable[tuple[Type, Any, Any, Path]]:
    if type_.shape == "list" and type_.element is not None:
        before, after = _by_keys(type_, old or ()), _by_keys(type_, new or ())
        for name in before.keys() | after.keys():
            yield type_.element, before.get(name), after.get(name), (*path, name)
        return
    before, after = old or {}, new or {}
    for key in before.keys() | after.keys():
        child = type_.fields.get(key) if type_.shape == "struct" else type_.element
        if child is not None:
            yield child, before.get(key), after.get(key), (*path, f"f:{key}")


def _by_keys(type_: Type, items: Iterable[Any]) -> dict[str, Any]:
    """List items by their keys; several items with the same keys have no owner."""
    names = [(element(type_, item), item) for item in items]
    counts = Counter(name for name, _ in names)
    return {name: item for name, item in names if counts[name] == 1}
