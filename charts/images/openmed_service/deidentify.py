"""Replace what was found in a text: by its label, nothing, a made-up value, a hash or a shifted date."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from .labels import Span
from .schemas import DeidentifyRequest

KEEPS_MAPPING = frozenset({"gdpr_art9_health", "gdpr_pseudonymization", "canada_pipeda", "uk_ico_anonymisation"})
_DATE_FORMS = (
    *("%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y"),
    *("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y"),
)
_YEAR = re.compile(r"\d{4}")
_MADE_UP = {
    "GIVEN_NAME": ("Alex", "Robin", "Sam", "Jordan", "Casey", "Taylor"),
    "SURNAME": ("Morgan", "Reed", "Lane", "Hayes", "Brooks", "Ellis"),
    "CITY": ("Springfield", "Riverton", "Lakeside", "Fairview"),
    "STATE": ("Ohio", "Oregon", "Maine", "Utah"),
    "STREET_NAME": ("Oak Street", "Maple Avenue", "Hill Road"),
    "EMAIL": ("person@example.com", "someone@example.org", "contact@example.net"),
    "URL": ("https://example.com", "https://example.org"),
    "IP_ADDRESS": ("192.0.2.10", "198.51.100.7", "203.0.113.5"),
}


@dataclass(slots=True)
class Redaction:
    text: str
    mapping: dict[str, str]
    redacted: list[str] = field(default_factory=list)  # one per span, in text order


def redact(text: str, spans: Sequence[Span], request: DeidentifyRequest) -> Redaction:
    """The text with every span replaced; `spans` in text order, not overlapping."""
    shift = timedelta(days=_days(request))
    keeps = request.keep_mapping or request.policy in KEEPS_MAPPING
    result = Redaction("", {})
    at = 0
    for span in spans:
        original = text[span.start : span.end]
        replacement = _replacement(original, span.label, request, shift)
        if keeps and replacement:
            replacement = _distinct(replacement, original, result.mapping)
            result.mapping[replacement] = original
        result.redacted.append(replacement)
        result.text += text[at : span.start] + replacement
        at = span.end
    result.text += text[at:]
    return result


def _days(request: DeidentifyRequest) -> int:
    if request.date_shift_days is not None:
        return request.date_shift_days
    return random.randint(1, 365) * random.choice((-1, 1))


def _replacement(original: str, label: str, request: DeidentifyRequest, shift: timedelta) -> str:
    method = request.effective_method
    if label == "DATE" and method == "shift_dates":
        return _shifted(original, shift, request.keep_year)
    year = _YEAR.search(original)
    if label == "DATE" and request.keep_year and year:
        return year.group()
    if method == "remove":
        return ""
    if method == "hash":
        return f"{label}_{hashlib.sha256(original.encode()).hexdigest()[:8]}"
    if method == "replace":
        return _made_up(original, label)
    return f"[{label}]"


def _shifted(original: str, shift: timedelta, keep_year: bool) -> str:
    plain = original.replace("Sept ", "Sep ").replace(".,", ",") if original[0].isalpha() else original
    for form in _DATE_FORMS:
        try:
            day = datetime.strptime(plain, form).date()
        except ValueError:
            continue
        try:
            moved = day + shift
        except OverflowError:
            return "[DATE]"
        if keep_year:
            moved = _in_year(moved, day.year)
        return moved.strftime(form)
    return "[DATE]"


def _in_year(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:  # 29 February
        return day.replace(year=year, day=28)


def _made_up(original: str, label: str) -> str:
    """A value of the same kind; the same original gives the same value, so that a text stays coherent."""
    seed = int.from_bytes(hashlib.sha256(f"{label}:{original}".encode()).digest()[:8], "big")
    chooser = random.Random(seed)
    if label in _MADE_UP:
        return chooser.choice([value for value in _MADE_UP[label] if value != original])
    return "".join(_like(character, chooser) for character in original)


def _like(character: str, chooser: random.Random) -> str:
    if character.isdigit():
        return chooser.choice("0123456789")
    return chooser.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") if character.isalpha() else character


def _distinct(replacement: str, original: str, mapping: dict[str, str]) -> str:
    """Numbered when another original already has this replacement: a mapping that loses one cannot be undone."""
    candidate, number = replacement, 1
    while mapping.get(candidate, original) != original:
        number += 1
        ends = replacement.endswith("]")
        candidate = f"{replacement[:-1]}_{number}]" if ends else f"{replacement}_{number}"
    return candidate
