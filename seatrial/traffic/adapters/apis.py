"""The APIs that an exchange may name, and who reads their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from seatrial.errors import InputError
from seatrial.traffic.adapters import open_inference, openai_chat, openai_completions
from seatrial.traffic.adapters.base import Reader, WholeReader

_READERS: Final[Mapping[str, Callable[[], Reader]]] = {
    openai_chat.STREAM: openai_chat.reader,
    openai_chat.WHOLE: lambda: WholeReader(openai_chat.whole),
    openai_completions.STREAM: openai_completions.reader,
    openai_completions.WHOLE: lambda: WholeReader(openai_completions.whole),
    open_inference.API: lambda: WholeReader(open_inference.whole),
}


def reader_of(api: str) -> Callable[[], Reader] | None:
    """What makes a reader for each answer; None for plain JSON, which needs none. Raises InputError."""
    if not api:
        return None
    if api not in _READERS:
        raise InputError(f"exchange, api: expected one of {', '.join(sorted(_READERS))}, found {api!r}; correct it")
    return _READERS[api]
