"""Label and field selectors, as query parameters and as the `LabelSelector` of an object.

Source: k8s.io/apimachinery/pkg/labels and pkg/fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from seatrial.clusters.local.api.errors import bad_request

Obj = dict[str, Any]
Matches = Callable[[Obj], bool]

_SET_TERM = re.compile(r"^(?P<key>[\w./-]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUALITY_TERM = re.compile(r"^(?P<key>[\w./-]+)\s*(?P<operator>==|=|!=|>|<)\s*(?P<value>[\w.-]*)$")
_EXISTS_TERM = re.compile(r"^(?P<absent>!?)\s*(?P<key>[\w./-]+)$")

# The fields that a selector may name besides metadata.name and metadata.namespace.
_SELECTABLE = {
    "pods": {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
             "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"},
    "events": {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
               "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
               "reason", "reportingComponent", "source", "type"},
    "secrets": {"type"},
    "namespaces": {"status.phase"},
    "nodes": {"spec.unschedulable"},
    "services": {"spec.clusterIP", "spec.type"},
    "replicasets": {"status.replicas"},
    "jobs": {"status.successful"},
}  # fmt: skip


def label_selector(text: str) -> Matches:
    """The predicate behind `?labelSelector=`; raises StoreError 400 if it cannot be read."""
    tests = [_label_test(term.strip()) for term in _split(text)]
    return lambda obj: all(test(obj["metadata"].get("labels") or {}) for test in tests)


def field_selector(resource: str, text: str) -> Matches:
    """The predicate behind `?fieldSelector=`; raises StoreError 400 for a field that cannot be selected by."""
    tests = [_field_test(resource, term.strip()) for term in text.split(",") if term.strip()]
    return lambda obj: all(test(obj) for test in tests)


def matches_labels(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a `LabelSelector` (matchLabels, matchExpressions) selects labels; None selects nothing."""
    if selector is None:
        return False
    labels = labels or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(labels, term) for term in selector.get("matchExpressions") or ())


def as_text(selector: Mapping[str, Any] | None) -> str:
    """A `LabelSelector` in the form of a query parameter, as `Scale.status.selector` holds it."""
    if selector is None:
        return ""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for term in selector.get("matchExpressions") or ():
        values = ",".join(sorted(term.get("values") or ()))
        terms.append(
            {
                "In": f"{term['key']} in ({values})",
                "NotIn": f"{term['key']} notin ({values})",
                "Exists": term["key"],
                "DoesNotExist": f"!{term['key']}",
            }[term["operator"]]
        )
    return ",".join(terms)


def _split(text: str) -> list[str]:
    """The terms of a selector: split at commas outside of parentheses."""
    return [term for term in re.split(r",(?![^()]*\))", text) if term.strip()]


def _label_test(term: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET_TERM.match(term):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["operator"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUALITY_TERM.match(term):
        return _equality(found["key"], found["operator"], found["value"])
    if found := _EXISTS_TERM.match(term):
        key, absent = found["key"], bool(found["absent"])
        return lambda labels: (key in labels) != absent
    raise bad_request(f"unable to parse requirement: expected KEY=VALUE, KEY in (...), KEY or !KEY, found {term!r}")


def _equality(key: str, operator: str, value: str) -> Callable[[Mapping[str, str]], bool]:
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    if operator in ("=", "=="):
        return lambda labels: labels.get(key) == value
    if not re.fullmatch(r"-?\d+", value):
        raise bad_request(f"unable to parse requirement: expected an integer after {operator}, found {value!r}")
    bound, above = int(value), operator == ">"

    def compares(labels: Mapping[str, str]) -> bool:
        found = labels.get(key, "")
        if not re.fullmatch(r"-?\d+", found):
            return False
        return int(found) > bound if above else int(found) < bound

    return compares


def _holds(labels: Mapping[str, str], term: Mapping[str, Any]) -> bool:
    key, operator, values = term["key"], term["operator"], term.get("values") or ()
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[operator]


def _field_test(resource: str, term: str) -> Matches:
    found = re.match(r"^([\w.]+)(!=|==|=)(.*)$", term)
    if found is None:
        raise bad_request(f"invalid field selector: expected FIELD=VALUE, found {term!r}")
    field, operator, value = found.groups()
    if field not in {"metadata.name", "metadata.namespace"} | _SELECTABLE.get(resource, set()):
        raise bad_request(f'Unable to find "{resource}" that match field selector: "{field}" is not a known field')
    wanted_equal = operator != "!="
    return lambda obj: (_field(obj, field) == value) == wanted_equal


def _field(obj: Obj, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
