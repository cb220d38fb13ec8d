"""Strategic merge: a merge patch that knows which lists are maps.

Source: k8s.io/apimachinery/pkg/util/strategicpatch. Directives: `$patch` (delete, replace, merge), `$retainKeys`,
`$setElementOrder/LIST`, `$deleteFromPrimitiveList/LIST`.
"""

from __future__ import annotations

from typing import Any

from seatrial.clusters.local.api.errors import bad_request
from seatrial.clusters.local.api.schema import Type

Obj = dict[str, Any]
_PATCH, _RETAIN = "$patch", "$retainKeys"
_ORDER, _DELETE = "$setElementOrder/", "$deleteFromPrimitiveList/"


def merge(type_: Type | None, obj: Obj, patch: Obj) -> Obj:
    """The object after the patch; raises StoreError 400 if a directive or a list item is malformed."""
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"{_PATCH}: expected merge, replace or delete, found {directive!r}")
    result = dict(obj)
    if isinstance(patch.get(_RETAIN), list):
        result = {key: value for key, value in result.items() if key in patch[_RETAIN]}
    for key, change in patch.items():
        if key.startswith("$"):
            continue
        if change is None:
            result.pop(key, None)
            continue
        if isinstance(change, dict) and _PATCH in change and key not in result:
            continue  # there is nothing to replace or delete
        result[key] = _merged(_child(type_, key), result.get(key), change, patch.get(_ORDER + key))
    for key, removed in patch.items():
        if key.startswith(_DELETE):
            _delete_from_set(result, key.removeprefix(_DELETE), removed)
        elif key.startswith(_ORDER) and key.removeprefix(_ORDER) not in patch:
            name = key.removeprefix(_ORDER)
            child = _child(type_, name)
            if child is not None and isinstance(result.get(name), list) and isinstance(removed, list):
                result[name] = _ordered(child, result[name], removed, result[name])
    return result


def _child(type_: Type | None, key: str) -> Type | None:
    if type_ is None:
        return None
    return type_.fields.get(key) if type_.shape == "struct" else type_.element


def _merged(type_: Type | None, value: Any, change: Any, order: Any) -> Any:
    if isinstance(change, dict):
        return merge(type_, value if isinstance(value, dict) else {}, change)
    if not isinstance(change, list) or type_ is None or type_.shape != "list" or not type_.merges:
        return change
    items = value if isinstance(value, list) else []
    merged = _merged_items(type_, items, change) if type_.merge_key else _union(items, change)
    if items:
        merged = _ordered(type_, merged, change, items)
    return _ordered(type_, merged, order, items) if isinstance(order, list) else merged


def _union(items: list[Any], added: list[Any]) -> list[Any]:
    return items + [item for item in added if item not in items]


def _merged_items(type_: Type, items: list[Any], changes: list[Any]) -> list[Any]:
    key = type_.merge_key
    if any(isinstance(change, dict) and change.get(_PATCH) == "replace" for change in changes):
        return [change for change in changes if change.get(_PATCH) != "replace"]
    result = list(items)
    for change in changes:
        if not isinstance(change, dict) or key not in change:
            raise bad_request(f"map: {change} does not contain declared merge key: {key}")
        if change.get(_PATCH) == "delete":
            result = [item for item in result if item.get(key) != change[key]]
            continue
        at = next((index for index, item in enumerate(result) if item.get(key) == change[key]), None)
        if at is None:
            result.append(merge(type_.element, {}, change))
        else:
            result[at] = merge(type_.element, result[at], change)
    return result


def _ordered(type_: Type, items: list[Any], order: list[Any], before: list[Any]) -> list[Any]:
    """Items named by `order` in that order, the others as they stood in `before`.

    Where the two meet, an item that `before` does not know comes first.
    """
    key = type_.merge_key

    def positions(entries: list[Any]) -> dict[Any, int]:
        names = [entry.get(key) if key and isinstance(entry, dict) else entry for entry in entries]
        return {name: index for index, name in reversed(list(enumerate(names)))}

    wanted, stood = positions(order), positions(before)
    named = {name: items[index] for name, index in positions(items).items()}
    ordered = sorted((name for name in named if name in wanted), key=lambda name: wanted[name])
    others = sorted((name for name in named if name not in wanted), key=lambda name: stood.get(name, len(stood)))
    merged: list[Any] = []
    while ordered and others:
        known = ordered[0] in stood and others[0] in stood
        merged.append((others if known and stood[others[0]] < stood[ordered[0]] else ordered).pop(0))
    return [named[name] for name in merged + ordered + others]


def _delete_from_set(result: Obj, name: str, removed: Any) -> None:
    if isinstance(result.get(name), list) and isinstance(removed, list):
        result[name] = [item for item in result[name] if item not in removed]
