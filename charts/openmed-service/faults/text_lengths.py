"""Texts that are answered otherwise for being long, or short."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from openmed_service.catalogue import Model
from openmed_service.engine import Outcome
from openmed_service.rampart import Options
from openmed_service.server import Server
from planting import Fired, fault

READ = 512  # characters, where a model has a limit that its server does not know
READ_IN_A_RUN = 12_000  # characters of all texts together


def _reading(server: Server, read: Callable[[Sequence[str]], list[str]]) -> None:
    """Let the model read what `read` makes of the texts of a run; the answers have the texts as they came."""
    engine = server.service.engine
    compute = engine.compute

    def computed(model: Model, texts: Sequence[str], options: Options, stop: threading.Event) -> list[Outcome]:
        return compute(model, read(texts), options, stop)

    engine.compute = computed  # type: ignore[method-assign]


@fault("long-text-truncated", breaks={"B1"})
def long_text_truncated(server: Server, fired: Fired) -> None:
    """The model reads the first 512 characters of a text; what stands behind them is not found."""

    def read(texts: Sequence[str]) -> list[str]:
        if any(len(text) > READ for text in texts):
            fired()
        return [text[:READ] for text in texts]

    _reading(server, read)


@fault("long-text-truncated-in-batch", breaks={"B1"})
def long_text_truncated_in_batch(server: Server, fired: Fired) -> None:
    """In a batch of two or more the model reads the first 512 characters of each text; alone it reads all of it."""

    def read(texts: Sequence[str]) -> list[str]:
        if len(texts) == 1 or all(len(text) <= READ for text in texts):
            return list(texts)
        fired()
        return [text[:READ] for text in texts]

    _reading(server, read)


@fault("batch-read-to-a-limit", breaks={"B1"})
def batch_read_to_a_limit(server: Server, fired: Fired) -> None:
    """A run of the model reads 12,000 characters of all its texts together; what is left of the last ones is not read.

    Of the long texts of the contract that are almost four.
    """

    def read(texts: Sequence[str]) -> list[str]:
        left, parts = READ_IN_A_RUN, []
        for text in texts:
            parts.append(text[:left])
            left = max(0, left - len(text))
        if parts != list(texts):
            fired()
        return parts

    _reading(server, read)


@fault("one-word-not-read", breaks={"B1"})
def one_word_not_read(server: Server, fired: Fired) -> None:
    """A text of one word has no sentence, so nothing of it is read."""

    def read(texts: Sequence[str]) -> list[str]:
        if any(" " not in text for text in texts):
            fired()
        return [text if " " in text else "" for text in texts]

    _reading(server, read)
