"""What is wrong with a field, in the words of the API server.

Source: k8s.io/apimachinery/pkg/util/validation/field.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

Problem = tuple[str, str, str]  # reason, field, message


def required(path: str, why: str = "") -> Problem:
    """A field that must be there is not."""
    return ("FieldValueRequired", path, f"Required value: {why}" if why else "Required value")


def wrong(path: str, value: Any, why: str) -> Problem:
    """A value that cannot be."""
    return ("FieldValueInvalid", path, f"Invalid value: {shown(value)}: {why}")


def not_supported(path: str, value: Any, supported: Iterable[str]) -> Problem:
    """A value that is none of a list."""
    known = ", ".join(f'"{entry}"' for entry in sorted(supported) if entry != "")
    return ("FieldValueNotSupported", path, f"Unsupported value: {shown(value)}: supported values: {known}")


def duplicate(path: str, value: Any) -> Problem:
    """A value that is there already."""
    return ("FieldValueDuplicate", path, f"Duplicate value: {shown(value)}")


def shown(value: Any) -> str:
    """A value as messages show it."""
    return orjson.dumps(value).decode()
