"""How the service says no."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, RootModel

from seatrial.contract.base import Json, Part, Positive, Promise, Seconds


class Reject(Part):
    """How a refused request is answered."""

    status: int
    body: Json = None


class RetryAfter(RootModel[bool], Promise):
    """Whether a refusal says when to come again (RFC 9110, section 10.2.3)."""

    model_config = ConfigDict(frozen=True)

    def __bool__(self) -> bool:
        return self.root


class RateReject(Reject):
    """How a request above the rate is refused."""

    retry_after: RetryAfter = RetryAfter(False)


class ConcurrencyReject(Reject):
    """How a request too many at once is refused. Its Retry-After is declared, and not judged."""

    retry_after: bool = False


class RateLimit(Part, Promise):
    """A token bucket: sustained rate and burst of one replica."""

    per_second: Positive
    burst: Positive
    scope: Literal["replica"] = "replica"
    reject: RateReject = RateReject(status=429)
    values: dict[str, Any] = Field(default_factory=dict)


class Concurrency(Part, Promise):
    """How many requests one replica works on at once; the rest are refused."""

    limit: Positive
    reject: ConcurrencyReject = ConcurrencyReject(status=503)
    reject_within_s: Seconds = 0.25
    values: dict[str, Any] = Field(default_factory=dict)


class Limits(Part, Promise):
    """How the service says no: made where one of the limits is."""

    rate: RateLimit | None = None
    concurrency: Concurrency | None = None

    def __bool__(self) -> bool:
        return bool(self.rejects)

    @property
    def rejects(self) -> tuple[Reject, ...]:
        """Every way in which a request may be refused."""
        return tuple(limit.reject for limit in (self.rate, self.concurrency) if limit)
