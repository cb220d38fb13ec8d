"""Names, labels, annotations and ports: what they may look like.

Source: k8s.io/apimachinery/pkg/util/validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.problems import Problem, required, wrong

Obj = dict[str, Any]

_LABEL_1123 = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL_1123}(\.{_LABEL_1123})*"
_LABEL_1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = rf"({_QUALIFIED})?"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"
_PORT_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"

SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SERVICE_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
    "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
CONFIG_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_FINALIZERS = ("foregroundDeletion", "orphan", "kubernetes")
_RBAC = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")


def metadata(kind: Kind, found: Obj) -> Iterator[Problem]:
    """What is wrong with an object's name, labels and annotations."""
    name = found.get("name")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    else:
        yield from _object_name(kind, name)
    yield from labels(found.get("labels") or {}, "metadata.labels")
    for key in found.get("annotations") or {}:
        yield from _qualified(key.lower(), key, "metadata.annotations")

    for index, finalizer in enumerate(found.get("finalizers") or ()):
        if "/" not in finalizer and finalizer not in _FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield wrong(f"metadata.finalizers[{index}]", finalizer, why)
    for owner in found.get("ownerReferences") or ():
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                yield wrong(f"metadata.ownerReferences.{field}", "", "must not be empty")


def _object_name(kind: Kind, name: str) -> Iterator[Problem]:
    if kind.resource in _RBAC:
        if name in (".", "..") or "/" in name or "%" in name:
            yield wrong("metadata.name", name, "may not contain '/' or '%', nor be '.' or '..'")
    elif kind.resource == "services":
        yield from dns_label(name, "metadata.name", _LABEL_1035, SERVICE_RULE)
    elif kind.resource == "namespaces":
        yield from dns_label(name, "metadata.name")
    elif len(name) > 253:
        yield ("FieldValueInvalid", "metadata.name", f'Invalid value: "{name}": must be no more than 253 characters')
    elif not re.fullmatch(_SUBDOMAIN, name):
        yield wrong("metadata.name", name, SUBDOMAIN_RULE)


def dns_label(name: str, path: str, pattern: str = _LABEL_1123, rule: str = LABEL_RULE) -> Iterator[Problem]:
    """A name of up to 63 characters without dots."""
    if not re.fullmatch(pattern, name):
        yield wrong(path, name, rule)
    if len(name) > 63:
        yield wrong(path, name, "must be no more than 63 characters")


def labels(found: Mapping[str, str], path: str) -> Iterator[Problem]:
    """Keys and values of labels."""
    for key, value in found.items():
        yield from _qualified(key, key, path)
        if len(value) > 63:
            yield wrong(path, value, "must be no more than 63 bytes")
        if not re.fullmatch(_LABEL_VALUE, value):
            yield wrong(path, value, LABEL_VALUE_RULE)


def _qualified(key: str, shown: str, path: str) -> Iterator[Problem]:
    prefix, slash, name = key.rpartition("/")
    if slash and not re.fullmatch(_SUBDOMAIN, prefix):
        yield wrong(path, shown, f"prefix part {SUBDOMAIN_RULE}")
    if len(name) > 63:
        yield wrong(path, shown, "name part must be no more than 63 bytes")
    if not re.fullmatch(_QUALIFIED, name):
        yield wrong(path, shown, QUALIFIED_RULE)


def config_key(key: str, path: str) -> Iterator[Problem]:
    """A key of a ConfigMap or Secret."""
    if not re.fullmatch(_CONFIG_KEY, key):
        yield wrong(path, key, CONFIG_KEY_RULE)


def port_number(number: Any, path: str) -> Iterator[Problem]:
    """1 to 65535."""
    if not isinstance(number, int) or not 1 <= number <= 65535:
        yield wrong(path, number, "must be between 1 and 65535, inclusive")


def port_name(name: str, path: str) -> Iterator[Problem]:
    """An IANA service name, as the names of container ports are."""
    if len(name) > 15:
        yield wrong(path, name, "must be no more than 15 characters")
    if not re.fullmatch(_PORT_NAME, name):
        yield wrong(path, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    elif not re.search("[a-z]", name):
        yield wrong(path, name, "must contain at least one letter (a-z)")
    if "--" in name:
        yield wrong(path, name, "must not contain consecutive hyphens")


def port_target(target: Any, path: str) -> Iterator[Problem]:
    """A port by number or name."""
    if isinstance(target, str):
        yield from port_name(target, path)
    elif target is not None:
        yield from port_number(target, path)
