"""Whether an answer is the known right one. Pure: bytes in, a judgement out.

The rule: the status is 2xx and the answer's JSON contains what was expected. An object contains another if it
has every key of it, with a value that contains the expected one; an array must have the same length and match
element by element; numbers may differ by the tolerance; all else must be equal. A number is never equal to a
boolean, although Python thinks so.
"""

from __future__ import annotations

import math
from typing import Any

import orjson

from seatrial.ledger import RIGHT, UNJUDGED, WRONG


def contains(found: Any, expected: Any, tolerance: float = 0.0) -> bool:
    """Whether the JSON value `found` contains `expected`, numbers within `tolerance` (absolute)."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            key in found and contains(found[key], value, tolerance) for key, value in expected.items()
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(contains(one, other, tolerance) for one, other in zip(found, expected, strict=True))
        )
    if _is_number(expected):
        return _is_number(found) and math.isclose(found, expected, rel_tol=0.0, abs_tol=tolerance)
    return type(found) is type(expected) and bool(found == expected)


def judge(status: int, body: bytes, expected: Any, tolerance: float) -> int:
    """RIGHT, WRONG, or UNJUDGED where nothing was expected, for a whole answer."""
    if expected is None:
        return UNJUDGED
    if not 200 <= status < 300:
        return WRONG
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return WRONG
    return RIGHT if contains(found, expected, tolerance) else WRONG


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
