"""How the service is asked, and what a right answer is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seatrial.contract.base import Json, Part, Promise, Seconds


class Case(Part):
    """A request with a known right answer: the answer contains `expect` (a JSON subset)."""

    request: Json
    """The body of the request."""
    expect: Json
    """What the answer contains: objects at least these keys, arrays this length, numbers within `tolerance`."""
    name: str = ""
    """Its name in the ledger."""


class LongCase(Part, Promise):
    """A case whose work takes a chosen time: `{seconds}` in any string of request and answer stands for it."""

    request: Json
    """The body of the request; `{seconds}` in any text stands for the time."""
    expect: Json
    """Its right answer; `{seconds}` stands for the time here, too."""
    seconds: Seconds = 4.0
    """The usual length; at most `drain.budget_s`."""


class Pattern(Part):
    """Cases that differ in a number only: `{i}` in the texts of request and answer, from 0 to count - 1."""

    request: Json
    """The body of the request; `{i}` in any text is the number of the case."""
    expect: Json
    """Its right answer, with `{i}`."""
    count: Annotated[int, Field(ge=1, le=1000)] = 64
    """How many cases."""


class Inference(Part):
    """How a case is asked and judged. In the file, `cases` may also be a pattern, or the name of a YAML file."""

    path: str
    """Path of the request."""
    method: Literal["POST", "GET", "PUT"] = "POST"
    """Method of the request."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers beside `Content-Type: application/json`."""
    deadline_s: Seconds | None = None
    """An answer later than this is late."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """How far a number in an answer may be from the expected one."""
    cases: tuple[Case, ...]
    """Requests with known right answers, at least 16, pairwise distinct: a list, a pattern, or the name of a YAML
    file."""
    long: LongCase | None = None
    """A request that takes as long as it is asked to."""
