"""The model's weights, taken away and given back."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contract.base import Part, Promise


class Weights(Part, Promise):
    """Values that make the model's weights missing, truncated and whole again."""

    missing: dict[str, Any]
    """Helm values with which the weights are absent."""
    truncated: dict[str, Any]
    """Helm values with which the weights are cut in half."""
    repaired: dict[str, Any] = Field(default_factory=dict)
    """Helm values with which the weights are whole; none: just without the values above."""
    names: str
    """A text in the live pod's spec by which it shows that the weights were the cause."""

    def each(self) -> dict[str, dict[str, Any]]:
        """The Helm values by their keys."""
        return {"missing": self.missing, "truncated": self.truncated, "repaired": self.repaired}
