"""What the chat and the completions API of OpenAI have in common: choices, usage, and streams of chunks.

Source: OpenAI API reference, "Chat Completions", "Streaming" and "Completions"; servers that speak it (vLLM, SGLang)
were looked up where it is silent. A stream is whole with `[DONE]` and a finish_reason for each of its choices. An
error in it, which servers send as an object after the status was 200, makes it a failure even if `[DONE]` follows.
What comes after `[DONE]` is not read, as clients stop there.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self, cast

import orjson

from seatrial.errors import InputError
from seatrial.traffic import sse
from seatrial.traffic.adapters.alike import Alike, alike
from seatrial.traffic.adapters.base import Reply, Settings, count, error_text, excerpt, json_reply

Kind = Literal["content", "empty", "usage", "done", "error"]
Choice = Mapping[str, Any]
_MOST_IN_VAIN: Final = 3  # events that none was like: those of this stream differ in more than their text
_USAGE_TOO: Final = {"stream": True, "stream_options": {"include_usage": True}}


class Piece(NamedTuple):
    """One event of a stream.

    content: something that the model generated came with it; usage: token counts and no content; empty: neither,
    as the chunk that names the role or the one with the finish_reason; error: also what is not a chunk at all.
    """

    kind: Kind
    chunk: Mapping[str, Any] = {}
    problem: str = ""
    says_failed: bool = False  # the error is the server's own


@dataclass(frozen=True, slots=True)
class Model:
    """One model, as one of the APIs is asked for it.

    `parameters` are fields of every request (max_tokens, temperature, ...); one that is None is left out.
    """

    model: str
    streaming: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    kind: ClassVar[str]
    generates: ClassVar[bool] = True

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises InputError for a setting that these APIs have no use for, or without a model."""
        settings.need(cls.kind, "model", "the name that the server knows the model by")
        settings.refuse(cls.kind, "method")
        adapter = cls(settings.model, settings.streaming, settings.parameters, settings.headers)
        return replace(adapter, path=settings.path) if settings.path else adapter

    def document(self, case: str, asked: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The request: what the case gives over what is always sent. `asked` is the field that says what is asked.

        Raises InputError without that, or where the case says otherwise about streaming.
        """
        whole = {"model": self.model, **(_USAGE_TOO if self.streaming else {}), **self.parameters, **given}
        if whole.get(asked) in (None, []):
            raise InputError(f"case {case}: expected `{asked}`, found {sorted(given)}; give what is to be asked")
        if bool(whole.get("stream")) != self.streaming:
            raise InputError(
                f"case {case}, stream: expected {self.streaming} as the adapter says, found {not self.streaming}; "
                "leave it out"
            )
        return {name: value for name, value in whole.items() if value is not None}


def choices(value: Any) -> Sequence[Choice]:
    """The choices of an answer or a chunk; some servers send null or nothing where there are none."""
    found = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(found, list):
        return ()
    return [choice for choice in found if isinstance(choice, dict)]


def piece(event: sse.Event, generated: Callable[[Choice], bool]) -> Piece:
    """What one event is; `generated` tells whether a choice of a chunk brings anything that the model generated."""
    if event.data.strip() == b"[DONE]":
        return Piece("done")
    try:
        chunk = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        chunk = None
    problem = error_text(chunk)
    if problem or event.type == "error":
        return Piece("error", problem=f"error in the stream: {problem or excerpt(event.data)}", says_failed=True)
    if not isinstance(chunk, dict):
        return Piece("error", problem=f"expected a JSON object in each event, found {excerpt(event.data)}")
    for choice in choices(chunk):
        if generated(choice):
            return Piece("content", chunk)
    return Piece("usage" if isinstance(chunk.get("usage"), dict) else "empty", chunk)


class StreamReader:
    """One stream, taken in as it arrives; `text` is that of a choice of an answer without streaming."""

    def __init__(self, generated: Callable[[Choice], bool], text: Callable[[Choice], Any]) -> None:
        self._generated, self._text = generated, text
        self._stream = sse.EventStream()
        self._whole: dict[str, Any] = {}
        self._with_content = 0  # events
        self._any = False
        self.over = False  # [DONE], or an error: nothing that follows is read
        self._problem = "the stream ended without [DONE]"
        self._says_failed = False
        self._alike: Alike | None = None  # what nearly every event is, as long as one may begin
        self._texts: list[str] = []  # of such events, that are not in the whole yet
        self._in_vain = 0

    def feed(self, body: bytes) -> int:
        """More bytes of the body; how many events they complete that bring something that the model generated."""
        if self._alike is not None and (text := self._alike.text(body)):
            self._texts.append(text)
            return 1
        return self._parsed(body)

    def _parsed(self, body: bytes) -> int:
        self._gather()
        count, part = 0, None
        for event in self._stream.feed(body):
            if self.over:
                break
            self._any = True
            part = piece(event, self._generated)
            if part.kind == "content":
                count += 1
            elif part.kind == "error":
                self.over, self._problem, self._says_failed = True, part.problem, part.says_failed
                break
            elif part.kind == "done":
                self.over, self._problem = True, ""
                break
            _add(self._whole, part.chunk)
        self._with_content += count
        self._alike = None
        if count == 1 and part is not None and self._in_vain < _MOST_IN_VAIN and self._stream.between:
            self._in_vain += 1
            self._alike = alike(body, part.chunk, _plain_text)
        return count

    def _gather(self) -> None:
        """Put what was only recognised into the whole."""
        if self._texts:
            assert self._alike is not None
            _add(self._whole, self._alike.with_text("".join(self._texts)))
            self._with_content += len(self._texts)
            self._texts.clear()
            self._in_vain = 0

    @property
    def needs_body(self) -> bool:
        return not self._any

    def reply(self, status: int, body: bytes) -> Reply:
        """What it says, whole or cut."""
        if not 200 <= status < 300:
            return json_reply(status, body)
        self._gather()
        if not self._any:
            refused = error_text(json_reply(status, body).value)
            return Reply(f"error object: {refused}" if refused else f"expected an event stream, found {excerpt(body)}")
        problem = self._problem
        if not self.over:
            cut = "the stream ended within an event" if self._stream.unfinished else ""
            problem = self._stream.error or cut or problem
        told = _told(self._whole, problem or _unfinished(self._whole), self._text, self._with_content)
        return replace(told, says_failed=self._says_failed) if self._says_failed else told


def whole_reply(status: int, body: bytes, text: Callable[[Choice], Any]) -> Reply:
    """What an answer without streaming says."""
    reply = json_reply(status, body)
    return reply if reply.problem else _told(reply.value, _unfinished(reply.value), text, None)


def _plain_text(chunk: Any) -> tuple[dict[str, Any], str] | None:
    """Where the text is in a chunk that brings nothing else that would grow with each event."""
    found = choices(chunk)
    if len(found) != 1 or chunk.get("usage"):
        return None
    choice = dict(found[0])
    delta = choice.pop("delta", None)
    holder, name = (delta, "content") if isinstance(delta, dict) else (found[0], "text")
    if not isinstance(holder.get(name), str):
        return None
    rest = {**choice, **holder}
    silent = all(value is None for key, value in rest.items() if key not in (name, "index", "role"))
    return (cast(dict[str, Any], holder), name) if silent else None


def _told(value: Any, problem: str, text: Callable[[Choice], Any], with_content: int | None) -> Reply:
    first = next((text(choice) for choice in choices(value) if choice.get("index", 0) == 0), None)
    usage = value.get("usage") if isinstance(value, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    output_tokens = count(usage.get("completion_tokens"))
    return Reply(
        problem,
        first if isinstance(first, str) else "",
        value,
        count(usage.get("prompt_tokens")),
        with_content if output_tokens is None else output_tokens,
        reported=output_tokens is not None,
    )


def _unfinished(value: Any) -> str:
    found = choices(value)
    if not found:
        return "expected one choice or more, found none"
    open_ones = [choice.get("index", 0) for choice in found if not choice.get("finish_reason")]
    return (
        f"choice {reprlib.repr(open_ones[0])} has no finish_reason: it was not generated to its end"
        if open_ones
        else ""
    )


def _add(whole: dict[str, Any], chunk: Mapping[str, Any]) -> None:
    """Add a chunk to the answer that it is a part of: its choices, its usage, and what the first says of the rest."""
    parts = choices(chunk)
    if not whole:
        kind = chunk.get("object")
        whole.update(chunk)
        whole["choices"] = []
        if isinstance(kind, str):
            whole["object"] = kind.removesuffix(".chunk")
    elif chunk.get("usage"):
        whole["usage"] = chunk["usage"]
    for part in parts:
        choice = _numbered(whole["choices"], part)
        for name, value in part.items():
            if value is not None or name not in choice:
                _grow(choice, "message" if name == "delta" else name, value, _DEEPEST)


def _numbered(known: list[Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """The element of a list with the index that this part of it bears; it is added if it is the first part."""
    index = part.get("index", 0)
    for one in known:
        if isinstance(one, dict) and one.get("index", 0) == index:
            return one
    added: dict[str, Any] = {"index": index}
    known.append(added)
    return added


_DEEPEST: Final = 32  # levels that are merged; no API nests as deep, and what a server sends must not exhaust the stack
_SAID_ONCE: Final = frozenset({"role", "id", "type", "name", "finish_reason", "index"})


def _grow(into: dict[str, Any], name: str, value: Any, levels: int) -> None:
    """Add a part of a value: strings grow, mappings and numbered elements are merged, other lists are joined."""
    known = into.get(name)
    if known is None or name in _SAID_ONCE:
        into[name] = value
    elif isinstance(value, str) and isinstance(known, str):
        into[name] = known + value
    elif isinstance(value, dict) and isinstance(known, dict) and levels:
        _merge(known, value, levels - 1)
    elif isinstance(value, list) and isinstance(known, list) and levels:
        for one in value:
            if isinstance(one, dict) and "index" in one:
                _merge(_numbered(known, one), one, levels - 1)
            else:
                known.append(one)
    else:
        into[name] = value


def _merge(into: dict[str, Any], part: Mapping[str, Any], levels: int) -> None:
    for name, value in part.items():
        if value is not None or name not in into:
            _grow(into, name, value, levels)
