"""How numbers and outcomes read: one place, so that every report says the same thing the same way."""

from __future__ import annotations

import math
from collections.abc import Iterable

from seatrial.reporting.latency import seconds
from seatrial.verdict import Measurement, Outcome, Verdict

# A shape beside the word and the colour, for those who see no colour.
SIGNS = {
    Outcome.PASS: "✓",
    Outcome.FAIL: "✗",
    Outcome.INCONCLUSIVE: "?",
    Outcome.ERROR: "!",
    Outcome.SKIPPED: "–",
}
NEVER = "·"  # of a check that has no verdict


def number(value: float, unit: str = "") -> str:
    """A measured value with its unit; "n/a" for NaN."""
    if math.isnan(value):
        return "n/a"
    if unit == "s":
        return seconds(value) if value > 0 else f"{value:.3g} s"
    text = f"{value:.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"
    return f"{text} {unit}".strip()


def interval(measurement: Measurement) -> str:
    """The confidence interval, "" without one; an open end reads as a bound."""
    low, high, unit = measurement.low, measurement.high, measurement.unit
    percent = "" if measurement.confidence is None else f" ({measurement.confidence * 100:g} %)"
    if low is not None and high is not None:
        return f"{number(low, unit)} to {number(high, unit)}{percent}"
    if high is not None:
        return f"at most {number(high, unit)}{percent}"
    return f"at least {number(low, unit)}{percent}" if low is not None else ""


def sentence(verdict: Verdict) -> str:
    """The verdict in one line."""
    if verdict.outcome in (Outcome.PASS, Outcome.SKIPPED, Outcome.ERROR):
        return verdict.found
    blocked = f" (blocked by {verdict.blocked_by})" if verdict.blocked_by else ""
    return f"expected {verdict.expected}, found {verdict.found}{blocked}"


def plural(count: int, noun: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def rows(numbers: Iterable[int]) -> str:
    """`row 7`, `rows 7, 9`."""
    listed = [str(number) for number in numbers]
    return f"row{'' if len(listed) == 1 else 's'} {', '.join(listed)}"


def decisive(verdict: Verdict) -> str:
    """Where the requests are found that decided it, "" where none did: `rows 7, 9 of overload; row 3 of install`."""
    trials = dict.fromkeys(place.trial for place in verdict.decisive)
    return "; ".join(
        rows(place.row for place in verdict.decisive if place.trial == trial) + (f" of {trial}" if trial else "")
        for trial in trials
    )
