"""Where the service counts."""

from __future__ import annotations

from pydantic import Field

from seatrial.contract.base import Part, Promise


class Metrics(Part, Promise):
    """Where the service counts, and under which names."""

    path: str
    """Path of the metrics, on the serving port."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers of the scrape."""
    batch_size: str = ""
    """Name of the histogram of batch sizes."""
    model_runs: str = ""
    """Name of the counter of the model's runs."""
