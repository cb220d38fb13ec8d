"""Names of the kinds of personal data, and the spans found in a text."""

from dataclasses import dataclass

# What the model calls a kind where the service calls it otherwise.
SERVED_NAME = {"PHONE": "PHONE_NUMBER"}

CANONICAL = {
    "GIVEN_NAME": "FIRST_NAME",
    "SURNAME": "LAST_NAME",
    "PHONE_NUMBER": "PHONE",
    "STREET_NAME": "STREET_ADDRESS",
    "SECONDARY_ADDRESS": "STREET_ADDRESS",
    "CITY": "LOCATION",
    "STATE": "LOCATION",
    "ZIP_CODE": "ZIPCODE",
    "BANK_ACCOUNT": "ACCOUNT_NUMBER",
    "ROUTING_NUMBER": "ACCOUNT_NUMBER",
    "TAX_ID": "ID_NUM",
    "GOVERNMENT_ID": "ID_NUM",
    "PASSPORT": "ID_NUM",
    "DRIVERS_LICENSE": "ID_NUM",
    "CREDIT_CARD_NUMBER": "CREDIT_CARD",
}


def canonical(label: str) -> str:
    return CANONICAL.get(label, label)


@dataclass(frozen=True, slots=True)
class Span:
    """Something found in a text: characters `start` to `end`, end exclusive."""

    label: str
    start: int
    end: int
    confidence: float  # 0 to 1
    source: str  # "model" or "pattern"


def without_overlaps(*groups: list[Span]) -> list[Span]:
    """Spans of all groups in text order; an earlier group wins, within one the longer span, then the surer."""
    ranked = [
        (rank, span.start - span.end, -span.confidence, span.start, span)
        for rank, group in enumerate(groups)
        for span in group
    ]
    taken: set[int] = set()
    kept: list[Span] = []
    for *_, span in sorted(ranked, key=lambda entry: entry[:4]):
        # Kept spans may be longer or shorter than this one, so every character counts, not only the ends.
        if taken.isdisjoint(range(span.start, span.end)):
            taken.update(range(span.start, span.end))
            kept.append(span)
    return sorted(kept, key=lambda span: span.start)
