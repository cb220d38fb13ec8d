"""Whether two judgements are the same.

The last digits of measured values are the platform's: libraries of mathematics differ in them from one version to the
next, and so do two ways to write one formula. Everything else has to be equal byte for byte; where it is words alone
that differ, the judgement is the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seatrial.record.verdicts import VerdictEntry, canonical

SAME = 1e-12  # relative: a double has 16 digits
_NO_WORDS: Mapping[str, Any] = {"expected": "", "found": "", "do": "", "evidence": (), "detects": ""}


def alike(old: VerdictEntry, new: VerdictEntry) -> bool:
    """Whether two entries are one judgement in one set of words, but for the last digits of what was measured."""
    return judged_alike(old, new) and canonical([_words(old)]) == canonical([_words(new)])


def judged_alike(old: VerdictEntry, new: VerdictEntry) -> bool:
    """Whether two entries are one judgement: all of it but the words, which get better from version to version."""
    if canonical([_bare(old)]) != canonical([_bare(new)]):
        return False
    return all(_close(before, after) for before, after in zip(_measured(old), _measured(new), strict=True))


def _measured(entry: VerdictEntry) -> list[float | None]:
    return [number for m in entry.verdict.measurements for number in (m.value, m.low, m.high)]


def _bare(entry: VerdictEntry) -> VerdictEntry:
    """An entry without words, and without what was measured."""
    bare = tuple(replace(m, value=0.0, low=None, high=None) for m in entry.verdict.measurements)
    return replace(entry, title="", verdict=replace(entry.verdict, measurements=bare, **_NO_WORDS))


def _words(entry: VerdictEntry) -> VerdictEntry:
    """An entry without what was measured."""
    return replace(entry, verdict=replace(entry.verdict, measurements=()))


def _close(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is after
    return math.isclose(before, after, rel_tol=SAME) or (math.isnan(before) and math.isnan(after))
