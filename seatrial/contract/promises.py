"""Which promises a contract can make, and where in the file each stands: read from the models alone."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, RootModel

from seatrial.contract.base import Promise

OR = "|"


@cache
def places(root: type[BaseModel]) -> Mapping[type[Promise], tuple[str, ...]]:
    """The keys that lead to each promise of a model.

    Raises TypeError for a promise that has two places: asking for its type would not tell which is meant.
    """
    found: dict[type[Promise], tuple[str, ...]] = {}
    for kind, place in _places(root, ()):
        if kind in found:
            raise TypeError(f"{kind.__name__}: expected one place in {root.__name__}, found {found[kind]} and {place}")
        found[kind] = place
    return found


def _places(model: type[BaseModel], place: tuple[str, ...]) -> Iterator[tuple[type[Promise], tuple[str, ...]]]:
    for key, field in model.model_fields.items():
        kind = the_one_type(field.annotation)
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            continue
        if issubclass(kind, Promise):
            yield kind, (*place, key)
        if not issubclass(kind, RootModel):
            yield from _places(kind, (*place, key))


def path_of(root: type[BaseModel], kind: type[Promise]) -> str:
    """Where a promise stands, as messages and reports write it.

    One that only holds others (`Limits`) is told as those of which one is needed: "limits.rate|limits.concurrency".
    """
    place = places(root)[kind]
    inside = [other for other in places(root).values() if other[:-1] == place]
    needed = inside if _only_holds(kind, len(inside)) else [place]
    return OR.join(".".join(keys) for keys in needed)


def _only_holds(kind: type[Promise], promises: int) -> bool:
    fields = kind.model_fields if issubclass(kind, BaseModel) else {}
    return promises == len(fields) > 0 and not issubclass(kind, RootModel)


def most_specific(paths: list[str]) -> list[str]:
    """Without those that lead to another: who promises `limits.rate.reject.retry_after` promises `limits.rate`."""
    return [path for path in dict.fromkeys(paths) if not any(other.startswith(f"{path}.") for other in paths)]


def the_one_type(annotation: Any) -> Any:
    """The type behind `X | None`; any other annotation as it is."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    inner = [part for part in typing.get_args(annotation) if part is not type(None)]
    return inner[0] if len(inner) == 1 else annotation


def is_optional(annotation: Any) -> bool:
    """Whether `X | None` is written."""
    return the_one_type(annotation) is not annotation
