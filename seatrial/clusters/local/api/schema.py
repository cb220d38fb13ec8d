"""The types of the stored kinds, read from schemas.json.gz, as the rest of the API server needs them.

Merge keys, list types and atomic structs are OpenAPI extensions of a real API server (`x-kubernetes-*`).
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Literal

import orjson

from seatrial.clusters.local.api.kinds import Kind

REF = "#/components/schemas/"
Shape = Literal["scalar", "struct", "map", "list", "any"]
_OPEN_ENDED = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "time",
}


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value; one instance a field, the definitions behind `$ref` are shared."""

    shape: Shape
    name: str = ""  # of the Go struct: `DeploymentSpec`
    scalar: str = ""  # string, integer, number, boolean, bytes, time, quantity, int-or-string
    format: str = ""
    enum: tuple[str, ...] = ()
    fields: dict[str, Type] = field(default_factory=dict)  # of a struct
    element: Type | None = None  # of a map or list
    atomic: bool = False  # server-side apply: owned as a whole
    keys: tuple[str, ...] = ()  # server-side apply: what tells items of a list apart
    is_set: bool = False  # server-side apply: a list of scalars without order
    merge_key: str = ""  # strategic merge: what tells items apart; "" with `merges` is a set
    merges: bool = False  # strategic merge: items are merged
    retain_keys: bool = False  # strategic merge: one of several sources
    required: frozenset[str] = frozenset()  # of a struct
    always: bool = False  # a field without omitempty: there even if nothing is in it
    is_value: bool = False  # a Go struct and no pointer: an object has it even if a client leaves it out
    defaults: dict[str, Any] = field(default_factory=dict)  # of the keys of list items


@cache
def data() -> dict[str, Any]:
    """The generated file: version, definitions, messages."""
    packed = resources.files("seatrial.clusters.local.api").joinpath("schemas.json.gz").read_bytes()
    content: dict[str, Any] = orjson.loads(gzip.decompress(packed))
    return content


def git_version() -> str:
    """Of the server whose types and rules these are, with this project's mark: `v1.34.4+seatrial`."""
    return f"{data()['version']}+seatrial"


@cache
def definition_names() -> dict[tuple[str, str, str], str]:
    """(group, version, kind) to the name of its definition."""
    names: dict[tuple[str, str, str], str] = {}
    for name, definition in data()["definitions"].items():
        for gvk in definition.get("x-kubernetes-group-version-kind", ()):
            names[(gvk["group"], gvk["version"], gvk["kind"])] = name
    return names


@cache
def type_of(group: str, version: str, kind: str) -> Type:
    """The type of a kind; KeyError if the data file does not know it."""
    return _definition(definition_names()[(group, version, kind)])


def type_of_kind(kind: Kind) -> Type:
    """The type of a stored kind."""
    return type_of(kind.group, kind.version, kind.kind)


_known: dict[str, Type] = {}


def _definition(name: str) -> Type:
    if name in _known:
        return _known[name]
    schema = data()["definitions"][name]
    short = name.rpartition(".")[2]
    if name in _OPEN_ENDED:
        built = Type("scalar", name=short, scalar=_OPEN_ENDED[name])
    elif "properties" not in schema:
        built = Type("any", name=short, atomic=True)  # RawExtension, FieldsV1
    else:
        # Filled after it is known, so that a type may hold itself.
        built = Type(
            "struct",
            name=short,
            required=frozenset(schema.get("required", ())),
            atomic=schema.get("x-kubernetes-map-type") == "atomic",
        )
    _known[name] = built
    for key, value in schema.get("properties", {}).items():
        found = _field(value)
        built.fields[key] = replace(found, always=True) if key in built.required else found
    return built


def _field(schema: dict[str, Any]) -> Type:
    reference = schema.get("$ref") or next((part["$ref"] for part in schema.get("allOf", ())), None)
    if reference:
        target = _definition(reference.removeprefix(REF))
        atomic = target.atomic or schema.get("x-kubernetes-map-type") == "atomic"
        is_value = schema.get("default") == {}
        return replace(target, atomic=atomic, always=is_value, is_value=is_value, **_merging(schema))
    if schema.get("type") == "array":
        return _list(schema)
    if schema.get("type") == "object":
        if "additionalProperties" not in schema:
            return Type("any", atomic=True)
        element = replace(_field(schema["additionalProperties"]), always=False, is_value=False)
        return Type("map", element=element, atomic=schema.get("x-kubernetes-map-type") == "atomic")
    scalar = "bytes" if schema.get("format") == "byte" else schema.get("type", "int-or-string")
    return Type("scalar", scalar=scalar, format=schema.get("format", ""), enum=tuple(schema.get("enum", ())))


def _list(schema: dict[str, Any]) -> Type:
    element = replace(_field(schema["items"]), always=False, is_value=False)
    list_type = schema.get("x-kubernetes-list-type", "atomic")
    keys = tuple(schema.get("x-kubernetes-list-map-keys", ()))
    # A port without a protocol is a TCP port: the key of an item includes what would be defaulted.
    defaults = {"protocol": "TCP"} if "protocol" in keys else {}
    return Type(
        "list",
        element=element,
        atomic=list_type == "atomic",
        keys=keys,
        is_set=list_type == "set",
        defaults=defaults,
        **_merging(schema),
    )


def _merging(schema: dict[str, Any]) -> dict[str, Any]:
    strategies = schema.get("x-kubernetes-patch-strategy", "").split(",")
    return {
        "merge_key": schema.get("x-kubernetes-patch-merge-key", ""),
        "merges": "merge" in strategies,
        "retain_keys": "retainKeys" in strategies,
    }
