"""Amounts of CPU and memory in thousandths, as the arithmetic of Kubernetes has them."""

from __future__ import annotations

from decimal import ROUND_CEILING

from seatrial.clusters.local.api import quantity
from seatrial.errors import InputError


def milli(amount: str | int | float) -> int:
    """Thousandths of a CPU or of a byte, rounded up: `250m` is 250, `1Ki` is 1_024_000.

    Raises InputError for what is no quantity.
    """
    try:
        value = quantity.value(str(amount))
    except ValueError as error:
        raise InputError(f"quantity: {error}") from None
    return int((value * 1000).to_integral_value(ROUND_CEILING))


def text_of(milli_amount: int) -> str:
    """The shortest decimal form of an amount in thousandths: 1500 is `1500m`, 2000 is `2`, 2000000 is `2k`."""
    return quantity.canonical(f"{milli_amount}m")
