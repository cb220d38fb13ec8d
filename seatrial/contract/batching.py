"""Requests that are worked on together."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contract.base import Json, Number, Part, Promise


class Poison(Part, Promise):
    """A request that fails on its own, and how it is answered."""

    request: Json
    status: int
    body: Json = None


class Batching(Part, Promise):
    """Requests that run together."""

    max_size: Number
    max_delay_ms: Number
    poison: Poison | None = None
    values: dict[str, Any] = Field(default_factory=dict)
