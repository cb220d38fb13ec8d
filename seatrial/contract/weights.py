"""The model's weights, taken away and given back."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contract.base import Part, Promise


class Weights(Part, Promise):
    """Values that make the model's weights missing, truncated and whole again."""

    missing: dict[str, Any]
    truncated: dict[str, Any]
    repaired: dict[str, Any] = Field(default_factory=dict)
    names: str
