"""What clients notice of an upgrade."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contract.base import Part, Promise


class HarmlessChange(Part):
    """An upgrade that alters the pod template, and no answer."""

    value: str
    """Dotted path in the chart's `values.yaml`, of a value that the pod template shows."""
    set: bool | int | float | str
    """What it is set to; not what it is anyway."""


class Rollout(Part, Promise):
    """An upgrade under load loses no request."""

    change: HarmlessChange
    """What the trial changes so that every pod is replaced."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Helm values of the releases under this trial."""
