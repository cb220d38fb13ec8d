"""Requests that are worked on together."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contract.base import Json, Number, Part, Promise


class Poison(Part, Promise):
    """A request that fails on its own, and how it is answered."""

    request: Json
    """The body of the request that fails by itself."""
    status: int
    """The status of its own answer."""
    body: Json = None
    """What its own answer contains; anything, where this is left out."""


class Batching(Part, Promise):
    """Requests that run together."""

    max_size: Number
    """The largest batch."""
    max_delay_ms: Number
    """How long a request waits for company at most, in milliseconds."""
    poison: Poison | None = None
    """A request that fails by itself, and takes no other of its batch with it."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Helm values of the releases under this trial."""
