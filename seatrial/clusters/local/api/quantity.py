"""Quantities (`500m`, `1Gi`) in the one form in which the API server stores them.

Source: k8s.io/apimachinery/pkg/api/resource, "Before serializing, Quantity will be put in canonical form".
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_FORM = re.compile(r"^(?P<number>[+-]?(\d+\.?\d*|\.\d+))(?P<suffix>[KMGTPE]i|[numkMGTPE]?|[eE][+-]?\d+)$")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BY_EXPONENT = {exponent: suffix for suffix, exponent in _DECIMAL.items()}


def value(text: str) -> Decimal:
    """The number behind a quantity; raises ValueError if it is none."""
    number, suffix = _split(text)
    if suffix in _BINARY[1:]:
        return number * Decimal(1024) ** _BINARY.index(suffix)
    return number.scaleb(_DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:]))


def canonical(text: str) -> str:
    """The quantity without fractions and with the largest suffix that allows that; raises ValueError."""
    _, suffix = _split(text)
    # The smallest step is a billionth; what is finer is rounded up, away from zero.
    amount = value(text)
    nano = (abs(amount) * 10**9).to_integral_value(ROUND_CEILING)
    exact = (nano if amount >= 0 else -nano) / 10**9
    if exact == 0:
        return "0"
    # Below 1024 the binary suffixes say nothing, and a fraction needs the decimal ones.
    if suffix in _BINARY[1:] and exact == exact.to_integral_value() and abs(exact) >= 1024:
        return _binary(int(exact))
    is_exponent = suffix[:1] in ("e", "E") and len(suffix) > 1
    return _decimal(exact, is_exponent)


def _split(text: str) -> tuple[Decimal, str]:
    found = _FORM.match(text)
    if found is None:
        raise ValueError(f"expected a quantity such as 500m, 2 or 1Gi, found {text!r}")
    return Decimal(found["number"]), found["suffix"]


def _binary(whole: int) -> str:
    power = 0
    while whole % 1024 == 0 and power < len(_BINARY) - 1:
        whole, power = whole // 1024, power + 1
    return f"{whole}{_BINARY[power]}"


def _decimal(exact: Decimal, is_exponent: bool) -> str:
    exponent = max(step for step in _BY_EXPONENT if step == -9 or _is_whole(exact.scaleb(-step)))
    suffix = f"e{exponent}" if is_exponent and exponent else _BY_EXPONENT[exponent]
    return f"{int(exact.scaleb(-exponent))}{suffix}"


def _is_whole(number: Decimal) -> bool:
    return number == number.to_integral_value()
