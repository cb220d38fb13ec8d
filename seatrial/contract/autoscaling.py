"""An autoscaler on CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from seatrial.contract.base import Part, Promise, Seconds

if TYPE_CHECKING:
    from seatrial.contract.rendered import Rendered


class Autoscaling(Part, Promise):
    """An autoscaler on CPU, rendered by the chart or brought by an overlay manifest."""

    min: Annotated[int, Field(ge=1)]
    """Fewest replicas."""
    max: Annotated[int, Field(ge=2)]
    """Most replicas; more than `min`."""
    cpu_percent: Annotated[int, Field(ge=1)]
    """The target: average utilisation of the CPU request."""
    cpu_s_per_request: Seconds
    """CPU time of one request, roughly: the load is chosen by it, and the trial measures it."""
    overlay: str = ""
    """A manifest beside the contract, to apply where the chart renders no autoscaler; `${release}` and
    `${namespace}` in it are filled in."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Helm values of the releases under this trial."""

    def cannot_keep(self, rendered: Rendered) -> Iterator[str]:
        """No autoscaler, from the chart or beside it, or one that has nothing to decide."""
        if rendered.workload.selector:
            yield (
                "autoscaling: expected a Deployment or StatefulSet that an autoscaler can target, "
                f"found {rendered.workload}; remove the promise, or name what it scales"
            )
        if self.overlay and not (rendered.folder / self.overlay).is_file():
            yield f"autoscaling.overlay: expected a manifest, found no {self.overlay}; correct the name"
        if not self.overlay and not rendered.has("HorizontalPodAutoscaler"):
            yield "autoscaling: expected a HorizontalPodAutoscaler from the chart or an overlay, found none; name one"
        if self.max <= self.min:
            yield f"autoscaling.max: expected more than min ({self.min}), found {self.max}; correct one"
        if self.overlay:
            rendered.overlay(self.overlay)
