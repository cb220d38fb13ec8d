"""How a defect of the server is planted for the kill matrix: no promise, and nothing that a trial asks for."""

from __future__ import annotations

from pydantic import Field

from seatrial.contract.base import Part


class Faults(Part):
    """Which Helm value gives variables to the server's environment: a list of env entries, or a mapping."""

    environment: str = Field(min_length=1)
    """The Helm value that gives variables to the server's environment."""
