"""Probes that the pods carry."""

from __future__ import annotations

from pydantic import model_validator

from seatrial.contract.base import Part


class Probes(Part):
    """Probes that the pods carry: the Helm value that governs each, or true where the chart fixes it."""

    readiness: str | bool = False
    liveness: str | bool = False
    readiness_sheds_load: bool = False

    @model_validator(mode="after")
    def _sheds_by_a_probe(self) -> Probes:
        if self.readiness_sheds_load and not self.readiness:
            raise ValueError(
                "expected readiness beside readiness_sheds_load, found none; promise the probe, too, "
                "or remove readiness_sheds_load"
            )
        return self
