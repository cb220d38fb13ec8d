"""Observations to files and back, for any frozen dataclass made of plain values, ledgers and timelines.

Whatever is large leaves the JSON for a file beside it. JSON holds no NaN: a NaN is written as null, and read
back as NaN where the field's type is float (as None where it is float | None). Every other float is written
with all its digits, so that an observation read back is judged as it was.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Set
from pathlib import Path, PurePath
from typing import Any, TypeVar, get_args, get_origin

import numpy as np
from cattrs import Converter, transform_error
from cattrs.strategies import configure_union_passthrough

from seatrial.errors import InputError, in_words
from seatrial.ledger import Ledger
from seatrial.observation import Change, Timeline
from seatrial.record.arrays import ledger_from_file, ledger_to_bytes
from seatrial.record.files import write_whole

OBSERVATION = "observation.json"
LEDGER_KEY, TIMELINE_KEY = "$ledger", "$timeline"

T = TypeVar("T")


def to_json(value: Any) -> bytes:
    """JSON as the record keeps it: sorted, indented, ASCII, ending in a newline. Raises ValueError for NaN."""
    return (json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n").encode("ascii")


def to_json_line(value: Any) -> bytes:
    """One line of a .jsonl file."""
    return (json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n").encode("ascii")


def plain(value: Any) -> Any:
    """Values of JSON only, for what holds neither ledgers nor timelines."""
    return _converter().unstructure(value)


def structured(value: Any, kind: type[T], where: str) -> T:
    """The inverse of `plain`. Raises InputError, naming `where`, for what does not fit."""
    return _structure(_converter(), value, kind, where)


def observation_to_files(folder: Path, observation: Any) -> list[Path]:
    """Write a frozen dataclass into an existing folder; returns the files, `observation.json` last."""
    written: list[Path] = []

    def put(stem: str, suffix: str, data: bytes) -> str:
        number = 1 + sum(path.name.startswith(stem) for path in written)
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        write_whole(path, data)
        written.append(path)
        return path.name

    converter = _converter()
    converter.register_unstructure_hook(
        Ledger, lambda ledger: {LEDGER_KEY: put("ledger", ".npz", ledger_to_bytes(ledger))}
    )
    converter.register_unstructure_hook(
        Timeline, lambda timeline: {TIMELINE_KEY: put("timeline", ".jsonl", timeline_to_bytes(timeline))}
    )
    fields = converter.unstructure(observation)
    kind = type(observation)
    document = {"type": f"{kind.__module__}.{kind.__qualname__}", "observation": fields}
    write_whole(folder / OBSERVATION, to_json(document))
    return [*written, folder / OBSERVATION]


def observation_from_files(folder: Path, kind: type[T]) -> T:
    """Read an observation of a known type. Raises InputError, naming the file, for what does not fit."""
    return observation_of(raw_observation(folder), folder, kind)


def observation_of(fields: Mapping[str, Any], folder: Path, kind: type[T]) -> T:
    """An observation from its JSON, with the ledgers and timelines in `folder`. Raises InputError, naming the file."""
    converter = _converter()
    converter.register_structure_hook(Ledger, lambda value, _: ledger_from_file(_beside(folder, value, LEDGER_KEY)))
    converter.register_structure_hook(
        Timeline, lambda value, _: timeline_from_file(_beside(folder, value, TIMELINE_KEY))
    )
    return _structure(converter, fields, kind, str(folder / OBSERVATION))


def raw_observation(folder: Path) -> Mapping[str, Any]:
    """An observation's JSON without its type: ledgers and timelines are references. Raises InputError."""
    path = folder / OBSERVATION
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("observation"), dict):
        raise InputError(f"{path}: expected an `observation`, found none; take the record from its source again")
    observation: dict[str, Any] = document["observation"]
    return observation


def read_json(path: Path) -> Any:
    """Raises InputError if the file is missing, cut short or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: expected JSON, found {in_words(error)}; take the record from its source again"
        ) from error


def timeline_from_file(path: Path) -> Timeline:
    """Raises InputError if the file is missing, cut short or holds something else."""
    try:
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        gaps = tuple(lines[0]["gaps"])
        return Timeline(tuple(Change(**line) for line in lines[1:]), gaps)
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise InputError(
            f"{path}: expected a timeline, one watch event a line, found {in_words(error)}; "
            "take the record from its source again"
        ) from error


def timeline_to_bytes(timeline: Timeline) -> bytes:
    """The inverse of `timeline_from_file`."""
    first = to_json_line({"gaps": list(timeline.gaps)})
    return first + b"".join(
        to_json_line(
            {
                "at_s": float(change.at_s),
                "kind": change.kind,
                "type": change.type,
                "name": change.name,
                "object": plain(change.object),
            }
        )
        for change in timeline.changes
    )


def _beside(folder: Path, reference: Any, key: str) -> Path:
    name = reference.get(key) if isinstance(reference, dict) else None
    if not isinstance(name, str) or Path(name).name != name:
        raise InputError(f"{folder / OBSERVATION}: expected a file name under `{key}`, found {reference!r}")
    return folder / name


def _structure(converter: Converter, value: Any, kind: type[T], where: str) -> T:
    try:
        return converter.structure(value, kind)
    except InputError:
        raise
    except Exception as error:  # cattrs wraps whatever a field's type raises
        if isinstance(inner := _input_error_in(error), InputError):
            raise inner from error
        raise InputError(
            f"{where}: expected {kind.__name__}, found {'; '.join(transform_error(error))}; "
            "read the record with the version that wrote it"
        ) from error


def _input_error_in(error: BaseException) -> InputError | None:
    if isinstance(error, InputError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := _input_error_in(inner))), None)
    return None


def _converter() -> Converter:
    """The rules that all parts of the record share."""
    # Sets have no order of their own, and a record is compared byte for byte.
    converter = Converter(unstruct_collection_overrides={Set: sorted})
    configure_union_passthrough(str | int | float | bool | None, converter)
    converter.register_unstructure_hook(float, _float_to_json)
    converter.register_structure_hook(float, lambda value, _: math.nan if value is None else float(value))
    converter.register_unstructure_hook(bytes, lambda value: base64.b64encode(value).decode("ascii"))
    converter.register_structure_hook(bytes, lambda value, _: base64.b64decode(value))
    converter.register_unstructure_hook(np.generic, lambda value: converter.unstructure(value.item()))
    converter.register_unstructure_hook(np.ndarray, lambda value: converter.unstructure(value.tolist()))
    converter.register_unstructure_hook_func(_is_array, lambda value: converter.unstructure(value.tolist()))
    converter.register_structure_hook_func(_is_array, _array_from_json)
    converter.register_unstructure_hook(PurePath, str)
    return converter


def _float_to_json(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    # JSON has no infinity; float("inf") reads it back.
    return float(value) if math.isfinite(value) else repr(float(value))


def _is_array(kind: Any) -> bool:
    return get_origin(kind) is np.ndarray


def _array_from_json(value: Any, kind: Any) -> np.ndarray[Any, Any]:
    (scalar,) = get_args(get_args(kind)[1])
    if isinstance(value, list) and np.issubdtype(scalar, np.floating):
        return np.asarray(value, dtype=object).astype(scalar) if value else np.asarray([], dtype=scalar)
    return np.asarray(value, dtype=scalar)
