"""Checking what a server-side apply sends, before anything is merged.

Source: sigs.k8s.io/structured-merge-diff, package typed (validate.go). Stricter than other writes: whatever
fieldValidation says, an unknown field is an error, and so are two list items with the same keys. The API server
answers 500 to them, and clients show the message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from seatrial.clusters.local.api.errors import StoreError
from seatrial.clusters.local.api.fieldset import Path, element, readable
from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.schema import Type, type_of_kind

Obj = dict[str, Any]

_GO_NAMES = {str: "string", bool: "boolean", list: "list", dict: "map"}


def check(kind: Kind, name: str, namespace: str, config: Obj) -> None:
    """Raise StoreError 500 unless the configuration fits its type."""
    found = [f"{readable(path)}: {problem}" for path, problem in _problems(type_of_kind(kind), config, ())]
    if not found:
        return
    # Core kinds have an empty group, which Go prints as a bare slash.
    group_version = kind.api_version if kind.group else f"/{kind.version}"
    listed = found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {line}" for line in found)
    about = f"({namespace}/{name}; {group_version}, Kind={kind.kind})"
    raise StoreError(500, "", f"failed to create typed patch object {about}: {listed}")


def _problems(type_: Type, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if value is None or type_.shape == "any":
        return
    if type_.shape == "scalar":
        problem = _scalar(type_.scalar, value)
        if problem:
            yield path, problem
    elif type_.shape == "list":
        yield from _list(type_, value, path)
    elif not isinstance(value, dict):
        yield path, f"expected map, got &{{{_go(value)}}}"
    else:
        for key, item in value.items():
            child = type_.fields.get(key) if type_.shape == "struct" else type_.element
            here = (*path, f"f:{key}")
            if child is None:
                yield here, "field not declared in schema"
            else:
                yield from _problems(child, item, here)


def _list(type_: Type, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, list):
        yield path, f"expected list, got &{{{_go(value)}}}"
        return
    if type_.element is None:
        return
    if type_.keys and any(not isinstance(item, dict) for item in value):
        yield path, "associative list with keys may not have non-map elements"
        return
    keyed = bool(type_.keys) or type_.is_set
    names = [element(type_, item) if keyed else f"i:{index}" for index, item in enumerate(value)]
    for name, count in Counter(names).items():
        if count > 1 and keyed:
            yield path, f"duplicate entries for key {readable((name,))}"
    for name, item in zip(names, value, strict=True):
        yield from _problems(type_.element, item, (*path, name))


def _scalar(scalar: str, value: Any) -> str:
    if scalar in ("string", "bytes", "time") and not isinstance(value, str):
        return f"expected string, got {_shown(value)}"
    if scalar in ("integer", "number") and (isinstance(value, bool) or not isinstance(value, int | float)):
        return f"expected numeric (int or float), got {_GO_NAMES.get(type(value), 'null')}"
    if scalar == "boolean" and not isinstance(value, bool):
        return f"expected boolean, got {_shown(value)}"
    return ""


def _shown(value: Any) -> str:
    quoted = orjson.dumps(value).decode() if isinstance(value, str) else _go(value)
    return f"&value.valueUnstructured{{Value:{quoted}}}"


def _go(value: Any) -> str:
    """A value as Go's `%v` prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{' '.join(_go(item) for item in value)}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go(value[key])}' for key in sorted(value))}]"
    return str(value)
