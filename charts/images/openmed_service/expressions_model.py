"""A model without weights: the expressions alone."""

import threading
from collections.abc import Sequence

from .labels import Span
from .rampart import Options
from .recognizers import recognize


class Expressions:
    def predict(self, texts: Sequence[str], options: Options, stop: threading.Event) -> list[list[Span]]:
        return [recognize(text) for text in texts]
