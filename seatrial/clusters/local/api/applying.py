"""Merging and removing by type, as server-side apply does.

Source: sigs.k8s.io/structured-merge-diff, package typed (merge.go, remove.go).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seatrial.clusters.local.api.fieldset import Fields, Path, element
from seatrial.clusters.local.api.schema import Type


def merged(type_: Type, live: Any, config: Any) -> Any:
    """The live value with all that the configuration names; atomic values are replaced."""
    if live is None or config is None or type_.atomic or type_.shape in ("scalar", "any"):
        return live if config is None else config
    if type_.shape == "list":
        return _merged_lists(type_, live, config)
    result = dict(live)
    for key, value in config.items():
        child = type_.fields.get(key) if type_.shape == "struct" else type_.element
        result[key] = value if child is None else merged(child, live.get(key), value)
    return result


def without(type_: Type, value: Any, removed: Fields) -> Any:
    """The value without some fields and all that is below them."""
    return _without(type_, value, (), removed) if removed else value


def _without(type_: Type, value: Any, path: Path, removed: Fields) -> Any:
    if type_.atomic or value is None or type_.shape in ("scalar", "any"):
        return value
    if type_.shape == "list" and type_.element is not None:
        return [
            _without(type_.element, item, here, removed)
            for item in value
            if (here := (*path, element(type_, item))) not in removed
        ]
    left = {}
    for key, item in value.items():
        here = (*path, f"f:{key}")
        if here in removed:
            continue
        child = type_.fields.get(key) if type_.shape == "struct" else type_.element
        left[key] = item if child is None else _without(child, item, here, removed)
    return left


def _merged_lists(type_: Type, live: list[Any], config: list[Any]) -> list[Any]:
    """Both lists by the keys of their items: shared items in the configuration's order, the live ones around them."""
    ours = {element(type_, item): item for item in live}
    wanted = {element(type_, item): item for item in config}
    shared = [name for name in wanted if name in ours]

    def take(name: str) -> Any:
        if name not in wanted:
            return ours[name]
        child = type_.element
        return wanted[name] if child is None else merged(child, ours.get(name), wanted[name])

    return _interleaved(list(ours), list(wanted), shared, take)


def _interleaved(live: list[str], wanted: list[str], shared: list[str], take: Callable[[str], Any]) -> list[Any]:
    result: list[Any] = []
    done: set[str] = set()
    at_live = at_wanted = 0
    next_shared = 0
    while at_live < len(live) or at_wanted < len(wanted):
        if at_live < len(live) and at_wanted < len(wanted):
            name = live[at_live]
            if name == wanted[at_wanted]:
                result.append(take(name))
                done.add(name)
                at_live, at_wanted, next_shared = at_live + 1, at_wanted + 1, next_shared + 1
                continue
            if name in wanted and next_shared < len(shared) and shared[next_shared] != name:
                at_live += 1  # shared, but its turn is elsewhere
                continue
        if at_live < len(live):
            name = live[at_live]
            if name not in wanted:
                result.append(take(name))
                at_live += 1
                continue
            if name in done:
                at_live += 1
        if at_wanted < len(wanted):
            name = wanted[at_wanted]
            result.append(take(name))
            done.add(name)
            at_wanted += 1
            if next_shared < len(shared) and shared[next_shared] == name:
                next_shared += 1
    return result
