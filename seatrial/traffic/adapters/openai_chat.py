"""OpenAI's chat completions. Source: OpenAI API reference, "Chat Completions"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from seatrial.traffic.adapters import openai
from seatrial.traffic.adapters.base import Reader, Reply, WholeReader, post
from seatrial.traffic.plan import Exchange

# All of them are output tokens: the first one ends the wait, whether it is shown, thought or a tool's argument.
_GENERATED: Final = ("reasoning_content", "reasoning", "refusal", "tool_calls", "function_call")

WHOLE: Final = "openai-chat"
STREAM: Final = "openai-chat-stream"


@dataclass(frozen=True, slots=True)
class OpenAIChat(openai.Model):
    """A case gives the user's words, a list of messages, or the fields of the request."""

    path: str = "/v1/chat/completions"
    kind: ClassVar[str] = WHOLE
    readers: ClassVar[Mapping[str, Callable[[], Reader]]] = {
        WHOLE: lambda: WholeReader(whole),
        STREAM: lambda: reader(),
    }

    def exchange(self, case: str, given: Any, expect: Any = None, tolerance: float = 0.0) -> Exchange:
        if isinstance(given, str):
            given = [{"role": "user", "content": given}]
        fields = given if isinstance(given, Mapping) else {"messages": given}
        document = self.document(case, "messages", fields)
        return post(case, self.path, self.headers, document, expect, tolerance, self.api)

    @property
    def api(self) -> str:
        """Who reads its answers."""
        return STREAM if self.streaming else WHOLE


def generated(choice: openai.Choice) -> bool:
    """Whether the delta of a choice brings anything that the model generated."""
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return False
    return bool(delta.get("content")) or any(delta.get(name) for name in _GENERATED)


def _text(choice: openai.Choice) -> Any:
    message = choice.get("message")
    return message.get("content") if isinstance(message, dict) else None


def reader() -> openai.StreamReader:
    """For one stream."""
    return openai.StreamReader(generated, _text)


def whole(status: int, body: bytes) -> Reply:
    """What an answer without streaming says."""
    return openai.whole_reply(status, body, _text)


Adapter = OpenAIChat
