"""OpenAI's text completions. Source: OpenAI API reference, "Completions" (legacy there; servers go on to speak it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from seatrial.traffic.adapters import openai
from seatrial.traffic.adapters.base import Reply, post
from seatrial.traffic.plan import Exchange

WHOLE: Final = "openai-completions"
STREAM: Final = "openai-completions-stream"


@dataclass(frozen=True, slots=True)
class OpenAICompletions(openai.Model):
    """A case gives the prompt (text or token numbers), or the fields of the request."""

    path: str = "/v1/completions"

    def exchange(self, case: str, given: Any, expect: Any = None, tolerance: float = 0.0) -> Exchange:
        fields = given if isinstance(given, Mapping) else {"prompt": given}
        document = self.document(case, "prompt", fields)
        api = STREAM if self.streaming else WHOLE
        return post(case, self.path, self.headers, document, expect, tolerance, api)

    def reply(self, status: int, body: bytes) -> Reply:
        return openai.stream_reply(status, body, generated, _text) if self.streaming else whole(status, body)


def generated(choice: openai.Choice) -> bool:
    """Whether a choice of a chunk brings any text."""
    return bool(choice.get("text"))


def _text(choice: openai.Choice) -> Any:
    return choice.get("text")


def reader() -> openai.StreamReader:
    """For one stream."""
    return openai.StreamReader(generated, _text)


def whole(status: int, body: bytes) -> Reply:
    """What an answer without streaming says."""
    return openai.whole_reply(status, body, _text)
