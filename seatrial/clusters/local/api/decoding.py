"""Reading a client's object as Go would: unknown fields, wrong types, nulls, empty maps and quantities.

Source: sigs.k8s.io/json (the strict decoder of the API server) and the conventions of `omitempty`.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from seatrial.clusters.local.api.errors import bad_request
from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.quantity import canonical
from seatrial.clusters.local.api.schema import Type, type_of_kind

Obj = dict[str, Any]


class WrongType(ValueError):
    """A value that its field cannot hold."""


def decode(kind: Kind, obj: Obj, validation: str) -> tuple[Obj, list[str]]:
    """The object with only what its kind declares, and warnings about the rest.

    `validation` is the request's fieldValidation: Strict raises StoreError 400 on unknown fields, Warn tells,
    Ignore is silent. Raises StoreError 400 for a wrong type.
    """
    unknown: list[str] = []
    prefix = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
    try:
        decoded = _struct(type_of_kind(kind), obj, "", unknown)
    except WrongType as wrong:
        raise bad_request(f"{prefix}{wrong}") from None
    problems = [f'unknown field "{path}"' for path in unknown]
    if problems and validation == "Strict":
        raise bad_request(f"{prefix}strict decoding error: {', '.join(problems)}")
    return decoded, problems if validation == "Warn" else []


def _struct(type_: Type, value: Any, path: str, unknown: list[str]) -> Obj:
    if not isinstance(value, dict):
        raise WrongType(f"json: cannot unmarshal {_go_name(value)} into Go value of type {type_.name}")
    decoded: Obj = {}
    for key, item in value.items():
        declared = type_.fields.get(key)
        here = f"{path}.{key}" if path else key
        if declared is None:
            unknown.append(here)
            continue
        if item is None:
            continue
        found = _value(declared, item, here, unknown, f"{type_.name}.{_without_indexes(here)}")
        # Go leaves empty maps and lists out (`omitempty`) unless the field is required. No policies at all are told
        # from policies that are not given: those have defaults, none is refused.
        kept = key in type_.required or (type_.name, key) == ("HPAScalingRules", "policies")
        if declared.shape in ("map", "list") and not found and not kept:
            continue
        decoded[key] = found
    return decoded


def _value(type_: Type, value: Any, path: str, unknown: list[str], go_field: str) -> Any:
    if type_.shape == "struct":
        if not isinstance(value, dict):
            raise _cannot(value, go_field, f"v1.{type_.name}")
        return _struct(type_, value, path, unknown)
    if type_.shape == "list":
        return _items(type_, value, path, unknown, go_field)
    if type_.shape == "map":
        return _entries(type_, value, path, unknown, go_field)
    return value if type_.shape == "any" else _scalar(type_, value, go_field)


def _items(type_: Type, value: Any, path: str, unknown: list[str], go_field: str) -> list[Any]:
    if not isinstance(value, list) or type_.element is None:
        raise _cannot(value, go_field, _go_type(type_))
    element = type_.element
    return [
        _value(element, _zero(element) if item is None else item, f"{path}[{index}]", unknown, go_field)
        for index, item in enumerate(value)
    ]


def _entries(type_: Type, value: Any, path: str, unknown: list[str], go_field: str) -> Obj:
    if not isinstance(value, dict) or type_.element is None:
        raise _cannot(value, go_field, _go_type(type_))
    element = type_.element
    return {
        key: _value(element, _zero(element) if item is None else item, f"{path}.{key}", unknown, go_field)
        for key, item in value.items()
    }


def _zero(type_: Type) -> Any:
    if type_.shape == "scalar":
        return {"string": "", "bytes": "", "boolean": False, "quantity": "0"}.get(type_.scalar, 0)
    return [] if type_.shape == "list" else {}


def _scalar(type_: Type, value: Any, go_field: str) -> Any:
    if type_.scalar == "quantity":
        return _quantity(value)
    if type_.scalar == "int-or-string":
        if isinstance(value, int | str) and not isinstance(value, bool):
            return value
        raise _cannot(value, go_field, "intstr.IntOrString")
    expected: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "bytes": (str,),
        "time": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
    }
    fits = isinstance(value, expected[type_.scalar])
    if not fits or (isinstance(value, bool) and type_.scalar != "boolean"):
        raise _cannot(value, go_field, _go_type(type_))
    if type_.scalar == "bytes":
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error:
            raise WrongType(f"illegal base64 data in {go_field}; expected the bytes in base64") from None
    if type_.scalar == "integer" and type_.format == "int32" and not -(2**31) <= value < 2**31:
        raise WrongType(f"json: cannot unmarshal number {value} into Go struct field {go_field} of type int32")
    return value


def _quantity(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise WrongType(f"json: cannot unmarshal {_go_name(value)} into a quantity")
    try:
        return canonical(str(value))
    except ValueError:
        raise WrongType(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        ) from None


def _cannot(value: Any, go_field: str, go_type: str) -> WrongType:
    return WrongType(f"json: cannot unmarshal {_go_name(value)} into Go struct field {go_field} of type {go_type}")


def _go_name(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    names = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _go_type(type_: Type) -> str:
    if type_.shape == "list":
        return f"[]{_go_type(type_.element) if type_.element else ''}"
    if type_.shape == "map":
        return f"map[string]{_go_type(type_.element) if type_.element else ''}"
    if type_.shape == "struct":
        return f"v1.{type_.name}"
    return {
        "integer": type_.format or "int",
        "boolean": "bool",
        "number": "float64",
        "bytes": "[]uint8",
    }.get(type_.scalar, type_.scalar or "interface {}")


def _without_indexes(path: str) -> str:
    return "".join(part.partition("]")[2] if index else part for index, part in enumerate(path.split("[")))
