"""An autoscaler on CPU."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from seatrial.contract.base import Part, Promise, Seconds


class Autoscaling(Part, Promise):
    """An autoscaler on CPU, rendered by the chart or brought by an overlay manifest."""

    min: Annotated[int, Field(ge=1)]
    max: Annotated[int, Field(ge=2)]
    cpu_percent: Annotated[int, Field(ge=1)]
    cpu_s_per_request: Seconds
    overlay: str = ""
    values: dict[str, Any] = Field(default_factory=dict)
