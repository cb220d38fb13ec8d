"""How the service says no."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from seatrial.contract.base import Json, Part, Positive, Seconds


class Reject(Part):
    """How a refused request is answered."""

    status: int
    body: Json = None
    retry_after: bool = False


class RateLimit(Part):
    """A token bucket: sustained rate and burst of one replica."""

    per_second: Positive
    burst: Positive
    scope: Literal["replica"] = "replica"
    reject: Reject = Reject(status=429)
    values: dict[str, Any] = Field(default_factory=dict)


class Concurrency(Part):
    """How many requests one replica works on at once; the rest are refused."""

    limit: Positive
    reject: Reject = Reject(status=503)
    reject_within_s: Seconds = 0.25
    values: dict[str, Any] = Field(default_factory=dict)


class Limits(Part):
    """How the service says no."""

    rate: RateLimit | None = None
    concurrency: Concurrency | None = None
