"""A model that is a word list: names of diseases, found as whole words in any case."""

import json
import re
import threading
from collections.abc import Sequence
from pathlib import Path

from .labels import Span
from .rampart import Options
from .weights import Published

LABEL = "DISEASE"


def published(name: str) -> Published:
    return Published(name, {"diseases.json": Path(__file__).with_name("diseases.json")})


class Diseases:
    def __init__(self, files: dict[str, Path]) -> None:
        words: list[str] = json.loads(files["diseases.json"].read_text())
        longest_first = sorted(words, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)

    def predict(self, texts: Sequence[str], options: Options, stop: threading.Event) -> list[list[Span]]:
        return [
            [Span(LABEL, match.start(), match.end(), 0.95, "model") for match in self._pattern.finditer(text)]
            for text in texts
        ]
