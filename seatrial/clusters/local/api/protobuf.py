"""Request bodies in Kubernetes' protobuf form, which typed Go clients send whatever discovery says.

A body is `k8s\\0` and an `Unknown` message {1: TypeMeta {1: apiVersion, 2: kind}, 2: the object}. Field numbers
come from the data file of `schema`. Answers are never protobuf: clients take JSON.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from seatrial.clusters.local.api.errors import bad_request
from seatrial.clusters.local.api.schema import data, definition_names

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"

Obj = dict[str, Any]
Wire = int | bytes  # a varint or fixed number, or the bytes of anything that has a length


def decode(body: bytes) -> Obj:
    """The object in a body, as JSON with apiVersion and kind; raises StoreError 400 if it is not readable."""
    if not body.startswith(MAGIC):
        raise bad_request("expected a protobuf body that starts with 'k8s\\0'; send JSON instead")
    try:
        envelope = dict(_wire_fields(body[len(MAGIC) :]))
        type_meta = dict(_wire_fields(_bytes(envelope.get(1, b""))))
        api_version, kind = _bytes(type_meta.get(1, b"")).decode(), _bytes(type_meta.get(2, b"")).decode()
        name = _message_name(api_version, kind)
        return {"apiVersion": api_version, "kind": kind, **_message(name, _bytes(envelope.get(2, b"")))}
    except (IndexError, ValueError, struct.error, TypeError) as problem:
        raise bad_request(f"the protobuf body cannot be read: {problem}; send JSON instead") from None


def _message_name(api_version: str, kind: str) -> str:
    if kind == "DeleteOptions":
        return f"{_META}.DeleteOptions"
    group, _, version = api_version.rpartition("/")
    name = definition_names().get((group, version, kind))
    if name is None:
        raise ValueError(f"no protobuf form of {api_version} {kind} is known here")
    return name


def _message(name: str, raw: bytes) -> Any:
    if name in _SPECIAL:
        return _SPECIAL[name](dict(_wire_fields(raw)))
    fields = data()["messages"][name]
    properties = data()["definitions"].get(name, {}).get("properties", {})
    decoded: Obj = {}
    for number, wire in _wire_fields(raw):
        if str(number) not in fields:
            continue  # of a newer version
        key, type_, label = fields[str(number)]
        if label == "map":
            entry = dict(_wire_fields(_bytes(wire)))
            found = _scalar_or_message(type_, entry.get(2, b"" if type_ not in _NUMBERS else 0))
            decoded.setdefault(key, {})[_bytes(entry.get(1, b"")).decode()] = found
        elif label == "repeated" and not (type_ in _NUMBERS and isinstance(wire, bytes)):
            decoded.setdefault(key, []).append(_scalar_or_message(type_, wire))
        elif label == "repeated":
            decoded.setdefault(key, []).extend(_packed(type_, _bytes(wire)))
        elif properties and key not in properties and type_ in data()["messages"]:
            decoded |= _message(type_, _bytes(wire))  # inlined in JSON: Volume.volumeSource
        else:
            decoded[key] = _scalar_or_message(type_, wire)
    # Go writes every string, empty ones too; JSON leaves them out.
    return {key: value for key, value in decoded.items() if value != ""}


def _scalar_or_message(type_: str, wire: Wire) -> Any:
    if type_ in _NUMBERS:
        return _NUMBERS[type_](wire)
    if type_ == "string":
        return _bytes(wire).decode()
    if type_ == "bytes":
        return base64.b64encode(_bytes(wire)).decode()
    return _message(type_, _bytes(wire))


def _packed(type_: str, raw: bytes) -> Iterator[Any]:
    at = 0
    while at < len(raw):
        number, at = _varint(raw, at)
        yield _NUMBERS[type_](number)


def _wire_fields(raw: bytes) -> Iterator[tuple[int, Wire]]:
    """(field number, value) of a message. Source: protobuf.dev, "Encoding"."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        wire_type = tag & 7
        if wire_type == 0:
            number, at = _varint(raw, at)
            yield tag >> 3, number
            continue
        if wire_type == 2:
            size, at = _varint(raw, at)
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type} at byte {at}")
        if at + size > len(raw):
            raise ValueError(f"{size} bytes announced at byte {at}, {len(raw) - at} left")
        yield tag >> 3, raw[at : at + size]
        at += size


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = raw[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number, at
        shift += 7


def _bytes(wire: Wire) -> bytes:
    if isinstance(wire, bytes):
        return wire
    raise ValueError("a number where bytes were expected")


def _signed(wire: Wire) -> int:
    if isinstance(wire, bytes):
        return int(struct.unpack("<q" if len(wire) == 8 else "<i", wire)[0])
    return wire - 2**64 if wire >= 2**63 else wire


def _float(wire: Wire) -> float:
    raw = _bytes(wire)
    return float(struct.unpack("<d" if len(raw) == 8 else "<f", raw)[0])


def _time(fields: dict[int, Wire]) -> str | None:
    if 1 not in fields:
        return None  # Go's zero time
    seconds, nanos = _signed(fields[1]), _signed(fields.get(2, 0))
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{nanos // 1000:06d}Z" if nanos else f"{moment}Z"


def _int_or_string(fields: dict[int, Wire]) -> int | str:
    if fields.get(1, 0) == 0:
        return _signed(fields.get(2, 0))
    return _bytes(fields.get(3, b"")).decode()


def _quantity(fields: dict[int, Wire]) -> str:
    return _bytes(fields.get(1, b"")).decode()


def _raw(fields: dict[int, Wire]) -> Any:
    return orjson.loads(_bytes(fields.get(1, b"")) or b"{}")


_NUMBERS: dict[str, Any] = {
    "bool": lambda wire: bool(_signed(wire)),
    "int32": _signed,
    "int64": _signed,
    "uint32": _signed,
    "uint64": _signed,
    "double": _float,
    "float": _float,
}
_SPECIAL: dict[str, Any] = {
    f"{_META}.Time": _time,
    f"{_META}.MicroTime": _time,
    f"{_META}.FieldsV1": _raw,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": _quantity,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": _raw,
}
