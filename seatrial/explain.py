"""What pydantic finds wrong with a file, as messages that name the key as its author wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, RootModel

from seatrial.documents import as_written

MOST_MESSAGES = 5
_KINDS = {
    "boolean": "true or false",
    "dictionary": "a mapping",
    "integer": "a whole number",
    "list": "a list",
    "number": "a number",
    "string": "text",
    "tuple": "a list",
}
# Greater or less, and whether the bound itself is allowed.
_BOUNDS = {
    ("greater", True): "{} or more",
    ("greater", False): "more than {}",
    ("less", True): "at most {}",
    ("less", False): "less than {}",
}


def explained(
    file: Path, errors: Sequence[Mapping[str, Any]], root: type[BaseModel], within: tuple[str, ...] = ()
) -> str:
    """One line for each thing that is wrong with a file read into `root`; the first few tell how the rest goes.

    `within` is the path in the file to what was read.
    """
    lines: dict[str, None] = {}
    for error, place in _of_one_alternative([(error, _place(error["loc"], root)) for error in errors]):
        lines[_line(file, error, ".".join([*within, *place.path]), place)] = None
    more = len(lines) - MOST_MESSAGES
    return "\n".join([*list(lines)[:MOST_MESSAGES], *([f"and {more} more like these"] if more > 0 else [])])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error is: the path as written in the file, and the model whose key is its last part.

    `alternative` names the type that was tried for a value that may be of several, `choice` the path to that value.
    """

    path: tuple[str, ...]
    beside: type[BaseModel] | None
    alternative: str = ""
    choice: tuple[str, ...] = ()


def _place(location: Sequence[Any], root: type[BaseModel]) -> _Place:
    model: type[BaseModel] | None = root
    beside, alternative, tag_follows, key_follows = model, "", False, False
    path: list[str] = []
    choice: tuple[str, ...] = ()
    for part in location:
        if tag_follows:
            alternative, choice, tag_follows = str(part), tuple(path), False
            continue
        if part == "[key]":  # pydantic's own mark: what is wrong is the key itself, which stands before it
            continue
        path.append(str(part))
        if isinstance(part, int):
            continue
        if key_follows:  # of a mapping that its author names: what is beside it, is no key of a model
            beside, key_follows = None, False
            continue
        beside = model
        field = model.model_fields.get(str(part)) if model else None
        annotation = _as_written(field.annotation) if field else None
        model = next(_models_in(annotation), None)
        tag_follows = _alternatives(annotation) > 1
        key_follows = model is not None and get_origin(annotation) is dict
    return _Place(tuple(path), beside, alternative, choice)


def _as_written(annotation: Any) -> Any:
    """The type of the value in the file: what a `RootModel` stands for."""
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return annotation.model_fields["root"].annotation
    return annotation


def _alternatives(annotation: Any) -> int:
    is_union = get_origin(annotation) in (Union, UnionType)
    return sum(part is not type(None) for part in get_args(annotation)) if is_union else 1


def _of_one_alternative(
    found: Sequence[tuple[Mapping[str, Any], _Place]],
) -> Iterator[tuple[Mapping[str, Any], _Place]]:
    """A value that fits none of several types is told of once: inside the one that it looks like, else as a whole."""
    inside = {place.choice for _, place in found if place.choice and len(place.path) > len(place.choice)}
    told: set[tuple[str, ...]] = set()
    for error, place in found:
        whole = place.path == place.choice
        if place.choice and whole and (place.choice in inside or place.choice in told):
            continue
        told.add(place.choice)
        yield error, place


def _line(file: Path, error: Mapping[str, Any], where: str, place: _Place) -> str:
    if error["type"] == "extra_forbidden":
        keys = list(place.beside.model_fields) if place.beside else []
        near = get_close_matches(place.path[-1], keys, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"the keys are {', '.join(keys)}" if keys else "remove it"
        return f"{file}, {where}: expected a key of the contract, found an unknown one; {hint}"
    if error["type"] == "missing":
        return f"{file}, {where}: expected a value, found none; add it"
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{file}, {where}: {message}" if where else f"{file}, {message}"
    wanted = wanted_by(message)
    if place.alternative and place.path == place.choice and _names_number(place.alternative):
        wanted += ", or {value: the Helm value, set: a number}"
    return f"{file}, {where}: expected {wanted}, found {as_written(error['input'])}; correct it"


def wanted_by(message: str) -> str:
    """What pydantic wants of a value, in words that fit after `expected`."""
    if (kind := re.match(r"Input should be a valid (\w+)", message)) and kind[1] in _KINDS:
        return _KINDS[kind[1]]
    if bound := re.fullmatch(r"Input should be (greater|less) than (or equal to )?(\S+)", message):
        return _BOUNDS[bound[1], bool(bound[2])].format(bound[3])
    if size := re.match(r"\w+ should have (at (?:least|most) \d+ \w+)", message):
        return size[1]
    return message.removeprefix("Input should be ").removeprefix("a valid ")


def _names_number(alternative: str) -> bool:
    return "float" in alternative


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)
