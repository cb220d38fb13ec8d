"""An autoscaler on CPU."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from seatrial.contract.base import Part, Promise, Seconds


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
