"""How the service is asked, and what a right answer is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from seatrial.contract.base import Part, Seconds
from seatrial.contract.cases import Case, LargeCase, LongCase
from seatrial.contract.streaming import Streaming
from seatrial.contract.workloads import filled_in


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
    large: LargeCase | None = None
    """A request near the most that the service takes, with what is looked for at its end."""
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
        """Every case in full, with its name in the ledger."""
        return tuple((case.name or f"case-{number}", case.in_full()) for number, case in enumerate(self.cases))

    def refuse_cases(self, place: str) -> None:
        """Raises ValueError for cases too few, or too alike, to tell a wrong answer from a right one."""
        answers = [f"{case.right}" for _, case in self.named_cases() if case.comparator != "any"]
        if len(self.cases) < LEAST_CASES:
            raise ValueError(f"{place}.cases: expected at least {LEAST_CASES} cases, found {len(self.cases)}; add some")
        if twins := sorted({answer for answer in answers if answers.count(answer) > 1}):
            raise ValueError(
                f"{place}.cases: expected answers that differ pairwise, found {len(twins)} given twice "
                f"(the first {twins[0][:80]}); a wrong answer could not be told from a right one"
            )
        if self.large is None:
            return
        longest, found = max(case.length() for case in self.cases), self.large.length()
        if found <= longest:
            raise ValueError(
                f"{place}.large: expected a request that is longer than every case (the longest has {longest} "
                f"characters), found {found}; raise repeat.times, or remove it"
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
