"""Sets of fields, as `managedFields` holds them (fieldsV1).

A field is a path of elements: `f:NAME` a field or map key, `k:{...}` a list item by its keys, `v:VALUE` a member
of a set. Source: sigs.k8s.io/structured-merge-diff, package fieldpath.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from seatrial.clusters.local.api.schema import Type

Path = tuple[str, ...]
Fields = frozenset[Path]
Obj = dict[str, Any]

SELF = "."
NOTHING: Fields = frozenset()


def from_v1(fields: Obj) -> Fields:
    """The set behind a `fieldsV1`."""
    return frozenset(_paths(fields, ()))


def to_v1(fields: Iterable[Path]) -> Obj:
    """The `fieldsV1` of a set, ordered."""
    tree: Obj = {}
    for path in sorted(fields):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node[SELF] = {}
    return _collapsed(tree)


def named(fields: Fields) -> Fields:
    """The set with every field above its members that has a name, so that removing the last one removes it too."""
    return fields | {path[:size] for path in fields for size in range(1, len(path)) if path[size - 1].startswith("f:")}


def of_value(type_: Type, value: Any) -> Fields:
    """All that a client names by sending a value (server-side apply)."""
    return frozenset(_named_by(type_, value, ()))


def element(type_: Type, item: Any) -> str:
    """The path element of a list item; a key that is missing has its default."""
    if type_.is_set:
        return "v:" + _json(item)
    return "k:" + _json({key: _key(type_, item, key) for key in sorted(type_.keys)})


def readable(path: Path) -> str:
    """A path as messages show it: `.spec.containers[name="web"].image`."""
    text = ""
    for part in path:
        tag, _, rest = part.partition(":")
        if tag == "f":
            text += f".{rest}"
        elif tag == "k":
            text += "[" + ",".join(f"{key}={_json(value)}" for key, value in orjson.loads(rest).items()) + "]"
        else:
            text += f"[{rest}]" if tag == "i" else f"[={rest}]"
    return text


def _paths(fields: Obj, path: Path) -> Iterator[Path]:
    for key, below in fields.items():
        if key == SELF:
            yield path
        elif not below:
            yield (*path, key)
        else:
            yield from _paths(below, (*path, key))


def _collapsed(tree: Obj) -> Obj:
    """A member without children is `{}`, one with children keeps its `.`."""
    collapsed: Obj = {}
    for key, below in tree.items():
        if key == SELF:
            collapsed[SELF] = {}
        else:
            collapsed[key] = {} if set(below) == {SELF} else _collapsed(below)
    return collapsed


def _named_by(type_: Type, value: Any, path: Path) -> Iterator[Path]:
    if type_.atomic or type_.shape in ("scalar", "any") or (type_.element is None and type_.shape != "struct"):
        yield path
    elif type_.shape == "list":
        for item in value or ():
            here = (*path, element(type_, item))
            yield here
            if type_.element is not None:
                yield from _named_by(type_.element, item, here)
    else:
        for key, item in (value or {}).items():
            child = type_.fields.get(key) if type_.shape == "struct" else type_.element
            if child is None:
                continue
            here = (*path, f"f:{key}")
            if item is None or item == {} or type_.shape == "map":
                yield here
            if item is not None:
                yield from _named_by(child, item, here)


def _key(type_: Type, item: Any, key: str) -> Any:
    return item.get(key, type_.defaults.get(key, ""))


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
