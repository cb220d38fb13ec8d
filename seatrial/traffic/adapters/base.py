"""What an API's adapter does: it writes the request of a case, and says who reads the answer.

An answer of a named API is given to a reader of its own as it arrives: that of a stream tells of each read how many
events it completed that brought something the model had generated, so that these can be timed. What is no stream is
read once it is whole.

A file of an adapter has a class `Adapter`. Those of this folder are found by that, and their kind is what a contract
calls them; one of a user's own stands beside the contract and is named by its path (seatrial.traffic.adapters.own).
Requests are written where the run is carried out, answers are read by generators, which have Python, NumPy, orjson,
httptools, and of Seatrial: `traffic`, `ledger`, `observation` and `errors`.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

import orjson

from seatrial.errors import InputError
from seatrial.ledger import RIGHT, UNJUDGED, WRONG
from seatrial.traffic.answers import contains
from seatrial.traffic.plan import Comparator, Exchange

_MOST_TOKENS = 2**31 - 1  # what a row of the ledger holds
_TOLD = 160  # characters of what a server sent, in a message


@dataclass(frozen=True, slots=True)
class Reply:
    """What one whole HTTP answer says.

    `problem` is empty for a proper 2xx answer with its end, and otherwise tells what is wrong with it: such an answer
    is never a success, whatever text came. `value` is the answer's JSON; that of a stream is put together as the
    answer to the same request without streaming would be, so that one expectation judges both.
    """

    problem: str = ""
    text: str = ""  # of the first choice
    value: Any = None
    input_tokens: int | None = None  # as the server reported; None: it did not
    output_tokens: int | None = None  # as reported, else the events with content; None: neither is known
    reported: bool = False  # output_tokens is the server's own count
    says_failed: bool = False  # the server told an error of its own in a stream that had begun


@dataclass(frozen=True, slots=True)
class Settings:
    """How one service speaks an API, as its contract says; what is not said is empty.

    Each adapter knows what it needs of it, and refuses what it cannot say.
    """

    path: str = ""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    streaming: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)  # fields of every request

    def refuse(self, adapter: str, *given: str) -> None:
        """Raises InputError for a setting that is given and that this adapter has no use for."""
        for name in given:
            if getattr(self, name) != getattr(_UNSAID, name):
                raise InputError(f"{name}: expected none for {adapter}, found {getattr(self, name)!r}; leave it out")

    def need(self, adapter: str, name: str, what: str) -> None:
        """Raises InputError for a setting that is missing, which should say `what`."""
        if not getattr(self, name):
            raise InputError(f"{name}: expected {what} for {adapter}, found none; add it")


_UNSAID = Settings()


class Adapter(Protocol):
    """One API, as one service speaks it. `readers` are those of its answers, by the `api` of its exchanges."""

    readers: ClassVar[Mapping[str, Callable[[], Reader]]]
    generates: ClassVar[bool]  # text, so that a case may say what that is (Reply.text)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The adapter with these settings. Raises InputError, the setting's name first, for what it cannot say."""

    def exchange(self, case: str, given: Any, expect: Any = None, tolerance: float = 0.0) -> Exchange:
        """The request for what a case gives, and what its answer must contain. Raises InputError."""


class Reader(Protocol):
    """One answer, read as it arrives.

    One of streams may have `over`, a boolean: from the read on that makes it true the answer has ended, whatever the
    connection still does.
    """

    def feed(self, body: bytes) -> int:
        """More bytes of the body; how many events they complete that bring something that the model generated."""

    @property
    def needs_body(self) -> bool:
        """Whether `reply` may look at the body that it is given, as things stand."""

    def reply(self, status: int, body: bytes) -> Reply:
        """What the whole answer, or what came of one, says. Never raises."""


@dataclass(frozen=True, slots=True)
class WholeReader:
    """Of an answer that is no stream: it says nothing until all of it is there."""

    read: Callable[[int, bytes], Reply]
    needs_body: ClassVar[bool] = True

    def feed(self, body: bytes) -> int:
        return 0

    def reply(self, status: int, body: bytes) -> Reply:
        return self.read(status, body)


def judge(reply: Reply, expect: Any, tolerance: float, comparator: Comparator = "subset") -> int:
    """RIGHT, WRONG, or UNJUDGED where nothing was expected (what a comparator asks: seatrial.traffic.plan)."""
    if reply.problem:
        return WRONG
    if comparator == "subset":
        if expect is None:
            return UNJUDGED
        is_right = contains(reply.value, expect, tolerance)
    elif comparator == "equals":
        is_right = reply.text == expect
    elif comparator == "contains":
        is_right = expect in reply.text
    else:
        is_right = True
    return RIGHT if is_right else WRONG


def post(
    case: str, path: str, headers: Mapping[str, str], document: Any, expect: Any, tolerance: float, api: str = ""
) -> Exchange:
    """A POST of a JSON document. Raises InputError for what JSON cannot say."""
    named = {"content-type": "application/json", **{name.lower(): value for name, value in headers.items()}}
    try:
        body = orjson.dumps(document)
    except TypeError as reason:
        raise InputError(f"case {case}: expected a request that JSON can say, found {reason}; correct it") from None
    return Exchange(case, "POST", path, tuple(named.items()), body, expect, tolerance, api)


def json_reply(status: int, body: bytes) -> Reply:
    """The reading that all answers of one JSON document share: its value, or what is wrong with it."""
    try:
        value, problem = orjson.loads(body), ""
    except orjson.JSONDecodeError:
        value, problem = None, f"expected JSON, found {excerpt(body)}"
    error = error_text(value)
    if not 200 <= status < 300:
        problem = f"status {status}: {error}" if error else f"status {status}"
    elif error:
        problem = f"error object: {error}"
    return Reply(problem, value=value)


def error_text(value: Any) -> str:
    """What a JSON value says that is an error and no answer; "" if it is none.

    The `error` of OpenAI's API is an object with a message, that of the Open Inference Protocol a string; older
    servers of OpenAI's API send the object itself, called an error.
    """
    if not isinstance(value, dict):
        return ""
    error = value if value.get("object") == "error" else value.get("error")
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or error.get("type") or error
    if not error:
        return ""
    return error[:_TOLD] if isinstance(error, str) else reprlib.repr(error)


def count(value: Any) -> int | None:
    """A number of tokens as a server reports it, or None if it is none, or more than 2,147,483,647."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None


def excerpt(body: bytes) -> str:
    """The beginning of what a server sent, for a message."""
    shown = body[:_TOLD].decode("utf-8", "replace")
    return f"{len(body)} bytes" + (f" that begin {shown!r}" if body else "")
