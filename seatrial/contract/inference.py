"""How the service is asked, and what a right answer is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seatrial.contract.base import Json, Part, Promise, Seconds


class Case(Part):
    """A request with a known right answer: the answer contains `expect` (a JSON subset)."""

    request: Json
    expect: Json
    name: str = ""


class LongCase(Part, Promise):
    """A case whose work takes a chosen time: `{seconds}` in any string of request and answer stands for it."""

    request: Json
    expect: Json
    seconds: Seconds = 4.0


class Pattern(Part):
    """Cases that differ in a number only: `{i}` in the texts of request and answer, from 0 to count - 1."""

    request: Json
    expect: Json
    count: Annotated[int, Field(ge=1, le=1000)] = 64


class Inference(Part):
    """How a case is asked and judged. In the file, `cases` may also be a pattern, or the name of a YAML file."""

    path: str
    method: Literal["POST", "GET", "PUT"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    deadline_s: Seconds | None = None
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    cases: tuple[Case, ...]
    long: LongCase | None = None
