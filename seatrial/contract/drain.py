"""What a pod that is told to stop does with its work."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contract.base import Governed, Number, Part, Promise, Seconds


class Drain(Part, Promise):
    """What a pod that is told to stop does with the work it has."""

    budget_s: Number
    """After SIGTERM, requests that take up to this long are finished. Less than the grace period."""
    grace_s: Governed | None = None
    """`terminationGracePeriodSeconds`, and the Helm value that governs it."""
    propagation_s: Seconds = 3.0
    """How long after a deletion new connections may still arrive, and must be accepted."""
    sign_log: str = ""
    """Part of the log line that shows that SIGTERM arrived."""
    exit_codes: tuple[int, ...] = (0, 143)
    """How a container may end."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Helm values of the releases under this trial."""
