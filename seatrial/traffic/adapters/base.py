"""What an API's adapter does: it writes the request of a case, and reads the answer.

An answer of a named API is given to a reader of its own as it arrives: that of a stream tells of each read how many
events it completed that brought something the model had generated, so that these can be timed. What is no stream is
read once it is whole.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import orjson

from seatrial.errors import InputError
from seatrial.observation import RIGHT, UNJUDGED, WRONG
from seatrial.traffic.answers import contains
from seatrial.traffic.plan import Exchange

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


class Adapter(Protocol):
    """One API, as one service speaks it."""

    @property
    def streaming(self) -> bool:
        """Whether the answer is asked for as a stream, so that the times of its parts mean something."""

    def exchange(self, case: str, given: Any, expect: Any = None, tolerance: float = 0.0) -> Exchange:
        """The request for what a case gives, and what its answer must contain. Raises InputError."""

    def reply(self, status: int, body: bytes) -> Reply:
        """What a whole answer, or what came of one, says. Never raises: whatever a server sends is a finding."""


class Reader(Protocol):
    """One answer, read as it arrives."""

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


def judge(reply: Reply, expect: Any, tolerance: float) -> int:
    """RIGHT, WRONG, or UNJUDGED where nothing was expected (the rule: seatrial.traffic.answers)."""
    if reply.problem:
        return WRONG
    if expect is None:
        return UNJUDGED
    return RIGHT if contains(reply.value, expect, tolerance) else WRONG


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
