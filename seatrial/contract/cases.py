"""Requests with known right answers.

A long one is written briefly: `{repeat}` in any text of its request and its answer stands for a text said many times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from seatrial.contract.base import Json, Part, Promise, Seconds, with_texts

REPEAT: Final = "{repeat}"
MOST_REPEATED: Final = 16 * 2**20  # characters: more than a generator should hold for one request
MOST_TOLD: Final = 120  # characters of an answer in a sentence

Comparator = Literal["subset", "equals", "contains", "any"]
Text = Annotated[str, Field(min_length=1)]


class Answer(Part):
    """What a right answer is, by one of four: it contains `expect` (a JSON subset), or the text that was generated
    `equals` this or `contains` it, or it is whole, and `any` text will do.
    """

    expect: Json
    """What the answer contains: objects at least these keys, arrays this length, numbers within `tolerance`."""
    equals: str | None = None
    """The text that was generated is this."""
    contains: Text | None = None
    """The text that was generated has this in it."""
    any: bool = False
    """Any whole answer is right."""

    @model_validator(mode="before")
    @classmethod
    def _one(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        others = [name for name in ("equals", "contains", "any") if given.get(name) not in (None, False)]
        if len(others) + (given.get("expect") is not None) > 1:
            found = " and ".join([*(["expect"] if given.get("expect") is not None else []), *others])
            raise ValueError(
                f"expected one of expect, equals, contains and any, found {found}; keep the one that is so"
            )
        return {"expect": None, **given} if others else given

    @property
    def comparator(self) -> Comparator:
        """How an answer is held against `right`."""
        if self.any:
            return "any"
        return "subset" if self.equals is self.contains is None else "equals" if self.contains is None else "contains"

    def described(self) -> str:
        """What a right answer is, as a sentence tells it: its beginning, where it is long."""
        if self.comparator == "any":
            return "any whole answer"
        told = json.dumps(self.right, ensure_ascii=False)
        told = told if len(told) <= MOST_TOLD else f"{told[:MOST_TOLD]}…"
        return {"subset": told, "equals": f"the text {told}", "contains": f"a text with {told} in it"}[self.comparator]

    @property
    def right(self) -> Json:
        """What it is held against."""
        return {"subset": self.expect, "equals": self.equals, "contains": self.contains, "any": None}[self.comparator]


class Repeat(Part):
    """A text said many times, in a row."""

    text: Text
    """The text, with what parts it from the next."""
    times: Annotated[int, Field(ge=2)]
    """How many times."""

    @model_validator(mode="after")
    def _fits(self) -> Repeat:
        if (length := len(self.text) * self.times) > MOST_REPEATED:
            raise ValueError(f"expected at most {MOST_REPEATED} characters in all, found {length}; lower times")
        return self

    def in_full(self) -> str:
        """All of it."""
        return self.text * self.times


class Asked(Answer):
    """A request, and what a right answer to it is."""

    request: Json
    """What is asked: the body, or what the API's adapter makes one of."""
    repeat: Repeat | None = None
    """A text said many times, for which `{repeat}` stands in request and answer."""

    @model_validator(mode="after")
    def _is_repeated_somewhere(self) -> Self:
        if self.repeat is not None and not any(REPEAT in text for text in _texts(self.request)):
            raise ValueError(
                f"expected {REPEAT} in a text of the request, found none; put it where the text is to be, "
                "or remove `repeat`"
            )
        return self

    def in_full(self) -> Self:
        """The same, with the whole text where `{repeat}` stands for it."""
        if self.repeat is None:
            return self
        whole = self.repeat.in_full()
        parts = {
            name: with_texts(getattr(self, name), lambda text: text.replace(REPEAT, whole))
            for name in ("request", "expect", "equals", "contains")
        }
        return self.model_copy(update={**parts, "repeat": None})

    def length(self) -> int:
        """Characters of the request, as JSON says it."""
        return len(json.dumps(self.in_full().request, ensure_ascii=False, default=str))


class Case(Asked):
    """A request with a known right answer."""

    name: str = ""
    """Its name in the ledger."""


class LargeCase(Asked):
    """A request near the most that the service takes, with what is looked for at its end."""

    @model_validator(mode="after")
    def _tells_of_its_end(self) -> Self:
        if self.any:
            raise ValueError(
                "expected an answer that is known, found `any`; give `expect`, `equals` or `contains`: "
                "an answer to half of the request would be right"
            )
        if any(text.rstrip().endswith(REPEAT) for text in _texts(self.request) if self.repeat):
            raise ValueError(
                f"expected what is looked for after {REPEAT}, found nothing after it; an answer to the beginning "
                "of the request would be right"
            )
        return self


class LongCase(Answer, Promise):
    """A case whose work takes a chosen time: `{seconds}` in any string of request and answer stands for it."""

    request: Json
    """What is asked; `{seconds}` in any text stands for the time."""
    seconds: Seconds = 4.0
    """The usual length; at most `drain.budget_s`."""


class Pattern(Asked):
    """Cases that differ in a number only: `{i}` in the texts of request and answer, from 0 to count - 1."""

    count: Annotated[int, Field(ge=1, le=1000)] = 64
    """How many cases."""


def _texts(template: Json) -> Iterator[str]:
    """Every text within a JSON value, keys aside."""
    if isinstance(template, str):
        yield template
    elif isinstance(template, dict | list):
        for inner in template.values() if isinstance(template, dict) else template:
            yield from _texts(inner)
