"""OpenAI's text completions. Source: OpenAI API reference, "Completions" (legacy there; servers go on to speak it)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from seatrial.traffic.adapters import openai
from seatrial.traffic.adapters.base import Reader, Reply, WholeReader, post
from seatrial.traffic.plan import Exchange

WHOLE: Final = "openai-completions"
STREAM: Final = "openai-completions-stream"


@dataclass(frozen=True, slots=True)
class OpenAICompletions(openai.Model):
    """A case gives the prompt (text or token numbers), or the fields of the request."""

    path: str = "/v1/completions"
    kind: ClassVar[str] = WHOLE
    readers: ClassVar[Mapping[str, Callable[[], Reader]]] = {
        WHOLE: lambda: WholeReader(whole),
        STREAM: lambda: reader(),
    }

    def exchange(self, case: str, given: Any, expect: Any = None, tolerance: float = 0.0) -> Exchange:
        fields = given if isinstance(given, Mapping) else {"prompt": given}
        document = self.document(case, "prompt", fields)
        return post(case, self.path, self.headers, document, expect, tolerance, self.api)

    @property
    def api(self) -> str:
        """Who reads its answers."""
        return STREAM if self.streaming else WHOLE


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


Adapter = OpenAICompletions
