"""Amounts of CPU and memory as Kubernetes writes them.

Source: k8s.io/apimachinery/pkg/api/resource, Quantity.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from seatrial.errors import InputError

SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def milli(quantity: str | int | float) -> int:
    """Thousandths of a CPU or of a byte, rounded up: `250m` is 250, `1Ki` is 1_024_000.

    Raises InputError for what is no quantity.
    """
    text = str(quantity).strip()
    number = text.rstrip("numkMGTPEi")
    suffix = text[len(number) :]
    try:
        value = Decimal(number) * SUFFIXES[suffix] * 1000
    except (InvalidOperation, KeyError):
        raise InputError(f"quantity: expected a number like 250m, 1.5 or 2Gi; found {text!r}") from None
    return int(value.to_integral_value(rounding="ROUND_CEILING"))


def text_of(milli_amount: int) -> str:
    """The shortest decimal form of an amount in thousandths: 1500 is `1500m`, 2000 is `2`, 2000000 is `2k`."""
    if milli_amount == 0:
        return "0"
    suffixes = iter(("m", "", "k", "M", "G", "T", "P", "E"))
    suffix = next(suffixes)
    while milli_amount % 1000 == 0:
        milli_amount, suffix = milli_amount // 1000, next(suffixes)
    return f"{milli_amount}{suffix}"
