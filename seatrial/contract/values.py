"""Helm values: those that govern promised numbers, and layers of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, RootModel

from seatrial.contract.base import Governed
from seatrial.errors import InputError


def governed(model: BaseModel | None) -> Iterator[Governed]:
    """Every number of a promise that a Helm value governs, the promises inside it included."""
    for _, setting in governed_by_key(model):
        yield setting


def governed_by_key(model: BaseModel | None, above: str = "") -> Iterator[tuple[str, Governed]]:
    """The same, each with its key from `above` on, as the file has it: `limits.concurrency.limit`."""
    if model is None:
        return
    for name in type(model).model_fields:
        value = getattr(model, name)
        key = above if isinstance(model, RootModel) else f"{above}.{name}".removeprefix(".")
        if isinstance(value, Governed):
            yield key, value
        elif isinstance(value, BaseModel):
            yield from governed_by_key(value, key)


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Helm values laid over one another, later ones first; mappings merge, lists of named entries too.

    An `extraEnv`-like list (every item a mapping with `name`) merges by name, so that a promise can add a
    variable without repeating the others.
    """
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            before = result.get(key)
            if isinstance(before, dict) and isinstance(value, Mapping):
                result[key] = merged(before, value)
            elif _named(before) and _named(value):
                result[key] = list({item["name"]: item for item in [*before, *value]}.values())  # type: ignore[misc]
            else:
                result[key] = value
    return result


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "name" in item for item in value)


def placed(settings: Iterator[Governed]) -> dict[str, Any]:
    """The Helm values that these governed numbers ask for. Raises InputError where one path lies inside another."""
    result: dict[str, Any] = {}
    for setting in settings:
        *path, leaf = setting.value.split(".")
        inner = result
        for part in path:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise InputError(f"{setting.value}: expected values that do not hold one another, found {part} set too")
        if isinstance(inner.get(leaf), dict):
            raise InputError(f"{setting.value}: expected values that do not hold one another, found one inside it")
        inner[leaf] = setting.set
    return result
