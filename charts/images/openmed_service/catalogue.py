"""The names a request may ask for, and how each is made ready to run."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from . import diseases, rampart
from .diseases import Diseases
from .expressions_model import Expressions
from .labels import Span
from .rampart import Options, Rampart
from .weights import Published, Weights

DEFAULT_PII = "OpenMed/OpenMed-PII-SuperClinical-Small-44M-v1"
DEFAULT_ANALYZE = "disease_detection_superclinical"


class Model(Protocol):
    def predict(self, texts: Sequence[str], options: Options, stop: threading.Event) -> list[list[Span]]: ...


class UnknownModel(Exception):
    """No such name is served."""


Publisher = Callable[[str], Published]
Constructor = Callable[[dict[str, Path]], Model]

_WITH_FILES: dict[str, tuple[Publisher, Constructor]] = {
    DEFAULT_PII: (rampart.published, Rampart),
    DEFAULT_ANALYZE: (diseases.published, Diseases),
}
_WITHOUT_FILES: dict[str, Callable[[], Model]] = {"regex-pii": Expressions}


def resolve(name: str) -> str:
    """The name a model is loaded under; the organisation may be left out. Raises UnknownModel."""
    for known in (*_WITH_FILES, *_WITHOUT_FILES):
        if name in (known, known.rpartition("/")[2]):
            return known
    raise UnknownModel(f"unknown model: {name}")


def open_model(name: str, weights: Weights) -> Model:
    """Fetch the files and load them; blocks. `name` must be resolved. Raises WeightsError."""
    if name in _WITHOUT_FILES:
        return _WITHOUT_FILES[name]()
    publish, construct = _WITH_FILES[name]
    return construct(weights.fetch(publish(name)))
