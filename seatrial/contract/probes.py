"""Probes that the pods carry."""

from __future__ import annotations

from pydantic import ConfigDict, RootModel, model_validator

from seatrial.contract.base import Part, Promise


class Probe(RootModel[str | bool], Promise):
    """An HTTP probe: the Helm value that holds it, or true where the chart fixes it; false where there is none."""

    model_config = ConfigDict(frozen=True)

    def __bool__(self) -> bool:
        return bool(self.root)

    @property
    def value(self) -> str:
        """The Helm value that holds it; "" where none does."""
        return self.root if isinstance(self.root, str) else ""


class ReadinessProbe(Probe):
    """A readiness probe."""


class LivenessProbe(Probe):
    """A liveness probe."""


class ShedsLoad(RootModel[bool], Promise):
    """Whether a saturated pod fails its readiness probe on purpose."""

    model_config = ConfigDict(frozen=True)

    def __bool__(self) -> bool:
        return self.root


class Probes(Part):
    """Probes that the pods carry."""

    readiness: ReadinessProbe = ReadinessProbe(False)
    """There is an HTTP readiness probe: `true`, or the Helm value that holds it."""
    liveness: LivenessProbe = LivenessProbe(False)
    """There is an HTTP liveness probe: `true`, or the Helm value that holds it."""
    readiness_sheds_load: ShedsLoad = ShedsLoad(False)
    """A saturated pod fails its readiness probe on purpose, so that others are asked."""

    @model_validator(mode="after")
    def _sheds_by_a_probe(self) -> Probes:
        if self.readiness_sheds_load and not self.readiness:
            raise ValueError(
                "expected readiness beside readiness_sheds_load, found none; promise the probe, too, "
                "or remove readiness_sheds_load"
            )
        return self
