"""What a pod that is told to stop does with its work."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contract.base import Governed, Number, Part, Promise, Seconds


class Drain(Part, Promise):
    """What a pod that is told to stop does with the work it has."""

    budget_s: Number
    grace_s: Governed | None = None
    propagation_s: Seconds = 3.0
    sign_log: str = ""
    exit_codes: tuple[int, ...] = (0, 143)
    values: dict[str, Any] = Field(default_factory=dict)
