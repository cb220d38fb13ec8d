"""How the service says no."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, RootModel

from seatrial.contract.base import Json, Part, Positive, Promise, Seconds


class Reject(Part):
    """How a refused request is answered."""

    status: int
    """The status of a refusal."""
    body: Json = None
    """What the body of a refusal contains; anything, where this is left out."""


class RetryAfter(RootModel[bool], Promise):
    """Whether a refusal says when to come again (RFC 9110, section 10.2.3)."""

    model_config = ConfigDict(frozen=True)

    def __bool__(self) -> bool:
        return self.root


class RateReject(Reject):
    """How a request above the rate is refused."""

    retry_after: RetryAfter = RetryAfter(False)
    """A refusal carries Retry-After, as seconds or as a date."""


class ConcurrencyReject(Reject):
    """How a request too many at once is refused. Its Retry-After is declared, and not judged."""

    retry_after: bool = False
    """A refusal carries Retry-After; not judged here."""


class RateLimit(Part, Promise):
    """A token bucket: sustained rate and burst of one replica."""

    per_second: Positive
    """Tokens that come back in a second."""
    burst: Positive
    """Tokens of a full bucket."""
    scope: Literal["replica"] = "replica"
    """Each replica has a bucket of its own."""
    reject: RateReject = RateReject(status=429)
    """How a refusal looks."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Helm values of the releases under this trial."""


class Concurrency(Part, Promise):
    """How many requests one replica works on at once; the rest are refused."""

    limit: Positive
    """How many requests one replica works on at once."""
    reject: ConcurrencyReject = ConcurrencyReject(status=503)
    """How a refusal looks."""
    reject_within_s: Seconds = 0.25
    """How fast a refusal is; 95 % of them must be."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Helm values of the releases under this trial."""


class Limits(Part, Promise):
    """How the service says no: made where one of the limits is."""

    rate: RateLimit | None = None
    """A token bucket."""
    concurrency: Concurrency | None = None
    """Requests at once."""

    def __bool__(self) -> bool:
        return bool(self.rejects)

    @property
    def rejects(self) -> tuple[Reject, ...]:
        """Every way in which a request may be refused."""
        return tuple(limit.reject for limit in (self.rate, self.concurrency) if limit)
