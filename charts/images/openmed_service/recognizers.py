"""Personal data that has a form: found by expressions, which win over the model.

Every repetition is bounded and starts at a boundary, so that the time grows with the length of the text alone.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator

from .labels import Span, without_overlaps

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)[a-z]{0,6}\.?"
_PATTERNS = {
    "EMAIL": r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b",
    "URL": r"(?<!\w)(?:https?://|www\.)[^\s<>\"'()]{2,2000}",
    "IP_ADDRESS": r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w:]|\.\d)",
    "SSN": r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])",
    "CREDIT_CARD_NUMBER": r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])",
    "DATE": rf"(?<![\w/-])(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[/.]\d{{1,2}}[/.](?:\d{{4}}|\d{{2}})"
    rf"|\d{{1,2}} {_MONTH},? \d{{4}}|{_MONTH} \d{{1,2}},? \d{{4}})(?![\w/-])",
}


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return len(text) > 2  # "::" is an address, and also punctuation


def _passes_luhn(text: str) -> bool:
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


_HOLDS: dict[str, Callable[[str], bool]] = {"IP_ADDRESS": _is_address, "CREDIT_CARD_NUMBER": _passes_luhn}
_COMPILED = {label: re.compile(pattern) for label, pattern in _PATTERNS.items()}


def _found(text: str, label: str) -> Iterator[Span]:
    for match in _COMPILED[label].finditer(text):
        value = match.group().rstrip(".,;:!?") if label == "URL" else match.group()
        if label not in _HOLDS or _HOLDS[label](value):
            yield Span(label, match.start(), match.start() + len(value), 1.0, "pattern")


def recognize(text: str) -> list[Span]:
    """Spans with a form, in text order, none overlapping."""
    return without_overlaps(*([*_found(text, label)] for label in _PATTERNS))
