"""Where the service counts."""

from __future__ import annotations

from pydantic import Field

from seatrial.contract.base import Part, Promise


class Metrics(Part, Promise):
    """Where the service counts, and under which names."""

    path: str
    headers: dict[str, str] = Field(default_factory=dict)
    batch_size: str = ""
    model_runs: str = ""
