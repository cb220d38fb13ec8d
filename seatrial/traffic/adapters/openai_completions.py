"""OpenAI's text completions. Source: OpenAI API reference, "Completions" (legacy there; servers go on to speak it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.traffic.adapters import openai
from seatrial.traffic.adapters.base import Reply, post
from seatrial.traffic.plan import Exchange


@dataclass(frozen=True, slots=True)
class OpenAICompletions:
    """One model; a case gives the prompt (text or token numbers), or the fields of the request.

    `parameters` are fields of every request (max_tokens, temperature, ...); one that is None is left out.
    """

    model: str
    streaming: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = "/v1/completions"

    def exchange(self, case: str, given: Any, expect: Any = None, tolerance: float = 0.0) -> Exchange:
        fields = given if isinstance(given, Mapping) else {"prompt": given}
        document = openai.document(case, "prompt", self.model, self.streaming, self.parameters, fields)
        return post(case, self.path, self.headers, document, expect, tolerance)

    def reply(self, status: int, body: bytes) -> Reply:
        if self.streaming:
            return openai.stream_reply(status, body, generated, _text)
        return openai.whole_reply(status, body, _text)


def generated(choice: openai.Choice) -> bool:
    """Whether a choice of a chunk brings any text."""
    return bool(choice.get("text"))


def _text(choice: openai.Choice) -> Any:
    return choice.get("text")
