"""How the service is asked, and what a right answer is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from seatrial.contract.base import Json, Part, Promise, Seconds
from seatrial.contract.streaming import Streaming
from seatrial.contract.workloads import filled_in

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

    @property
    def right(self) -> Json:
        """What it is held against."""
        return {"subset": self.expect, "equals": self.equals, "contains": self.contains, "any": None}[self.comparator]


class Case(Answer):
    """A request with a known right answer."""

    request: Json
    """What is asked: the body, or what the API's adapter makes one of."""
    name: str = ""
    """Its name in the ledger."""


class LongCase(Answer, Promise):
    """A case whose work takes a chosen time: `{seconds}` in any string of request and answer stands for it."""

    request: Json
    """What is asked; `{seconds}` in any text stands for the time."""
    seconds: Seconds = 4.0
    """The usual length; at most `drain.budget_s`."""


class Pattern(Answer):
    """Cases that differ in a number only: `{i}` in the texts of request and answer, from 0 to count - 1."""

    request: Json
    """What is asked; `{i}` in any text is the number of the case."""
    count: Annotated[int, Field(ge=1, le=1000)] = 64
    """How many cases."""


class AdapterFile(Part):
    """An adapter of one's own: in the file, its path from the contract; as it was read, its whole text."""

    file: str
    """Its path, as messages name it."""
    text: str
    """What is in it."""


class SecretKey(Part):
    """A key of a Secret in the release's namespace; `{release}` in its name is that of the Deployment."""

    name: str
    """The Secret's name; `{release}` is the name of the Deployment."""
    key: str
    """The key in it."""

    @field_validator("name")
    @classmethod
    def _names_no_more_than_the_release(cls, given: str) -> str:
        return filled_in(given, "release")


class Credentials(Part):
    """The header by which a request proves itself; its value is read when it is sent, and kept nowhere.

    In a release it comes from the Secret, where there is one; in a load, and where there is none, from an environment
    variable.
    """

    header: str = "Authorization"
    """The header."""
    prefix: str = "Bearer "
    """What its value begins with."""
    secret: SecretKey | None = None
    """Where the rest is."""
    environment: str = ""
    """A variable of Seatrial's own environment that has it."""

    @model_validator(mode="after")
    def _some(self) -> Credentials:
        if self.secret is None and not self.environment:
            raise ValueError("expected a secret (name and key) or the name of an environment variable, found neither")
        return self


class Api(Part):
    """How a case is asked and judged. In the file, `cases` may also be a pattern, or the name of a YAML file."""

    kind: str = "json"
    """What is spoken: json, openai-chat, openai-completions or open-inference."""
    adapter: AdapterFile | None = None
    """Instead of `kind`: a Python file beside the contract that speaks it."""
    default: bool = False
    """Of several, this one is meant where none is named; otherwise the first."""
    path: str = ""
    """Path of the request; required of json."""
    method: Literal["POST", "GET", "PUT"] = "POST"
    """Method of the request."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers beside `Content-Type: application/json`."""
    model: str = ""
    """The name that the server knows the model by."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Fields of every request of a model."""
    streaming: Streaming | None = None
    """`true`, or what is promised of streams: answers come as streams of events."""
    credentials: Credentials | None = None
    """By what requests prove themselves."""
    deadline_s: Seconds | None = None
    """An answer later than this is late."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """How far a number in an answer may be from the expected one."""
    cases: tuple[Case, ...]
    """Requests with known right answers, at least 16, pairwise distinct: a list, a pattern, or the name of a YAML
    file."""
    long: LongCase | None = None
    """A request that takes as long as it is asked to."""

    @field_validator("streaming", mode="before")
    @classmethod
    def _is_promised(cls, given: Any) -> Any:
        return {True: {}, False: None}[given] if isinstance(given, bool) else given

    @model_validator(mode="after")
    def _one_adapter(self) -> Api:
        if self.adapter is not None and "kind" in self.model_fields_set and self.kind != "json":
            raise ValueError(f"expected kind or adapter, found both ({self.kind} and {self.adapter.file}); keep one")
        return self

    def named_cases(self) -> tuple[tuple[str, Case], ...]:
        """Every case, with its name in the ledger."""
        return tuple((case.name or f"case-{number}", case) for number, case in enumerate(self.cases))

    def refuse_cases(self, place: str) -> None:
        """Raises ValueError for cases too few, or too alike, to tell a wrong answer from a right one."""
        answers = [f"{case.right}" for case in self.cases if case.comparator != "any"]
        if len(self.cases) < LEAST_CASES:
            raise ValueError(f"{place}.cases: expected at least {LEAST_CASES} cases, found {len(self.cases)}; add some")
        if twins := sorted({answer for answer in answers if answers.count(answer) > 1}):
            raise ValueError(
                f"{place}.cases: expected answers that differ pairwise, found {len(twins)} given twice "
                f"(the first {twins[0][:80]}); a wrong answer could not be told from a right one"
            )


LEAST_CASES = 16


@dataclass(frozen=True, slots=True)
class StreamingApi:
    """The API whose streams are promised: what is promised of them, and all that it takes to ask for one.

    `place` is where the API stands in the file.
    """

    place: str
    api: Api
    streaming: Streaming
