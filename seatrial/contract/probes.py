"""Probes that the pods carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict, RootModel, model_validator

from seatrial.contract.base import Part, Promise

if TYPE_CHECKING:
    from seatrial.contract.rendered import Rendered


class Probe(RootModel[str | bool], Promise):
    """A probe: the Helm value that holds it, or true where the chart fixes it; false where there is none."""

    model_config = ConfigDict(frozen=True)
    kind: ClassVar[str]

    def __bool__(self) -> bool:
        return bool(self.root)

    @property
    def value(self) -> str:
        """The Helm value that holds it; "" where none does."""
        return self.root if isinstance(self.root, str) else ""


class ReadinessProbe(Probe):
    """A readiness probe of whatever sort: that a pod is Ready is in its status."""

    kind = "readiness"

    def cannot_keep(self, rendered: Rendered) -> Iterator[str]:
        """No readiness probe at all."""
        if not rendered.has_probe(self.kind):
            yield (f"probes.{self.kind}: expected a {self.kind}Probe on the container, found none; add it to the chart")


class LivenessProbe(Probe):
    """An HTTP liveness probe."""

    kind = "liveness"

    def cannot_keep(self, rendered: Rendered) -> Iterator[str]:
        """No HTTP probe of this kind."""
        if not rendered.probes(self.kind):
            yield (
                f"probes.{self.kind}: expected an HTTP {self.kind}Probe on the container, found none; "
                "add it to the chart"
            )


class ShedsLoad(RootModel[bool], Promise):
    """Whether a saturated pod fails its readiness probe on purpose."""

    model_config = ConfigDict(frozen=True)

    def __bool__(self) -> bool:
        return self.root


class Probes(Part):
    """Probes that the pods carry."""

    readiness: ReadinessProbe = ReadinessProbe(False)
    """There is a readiness probe (HTTP, TCP, exec or gRPC): `true`, or the Helm value that holds it."""
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
