"""Whether two judgements are the same.

The last digits of measured values are the platform's: libraries of mathematics differ in them from one version to the
next, and so do two ways to write one formula. Everything else has to be equal byte for byte.
"""

from __future__ import annotations

import math
from dataclasses import replace

from seatrial.record.verdicts import VerdictEntry, canonical

SAME = 1e-12  # relative: a double has 16 digits


def alike(old: VerdictEntry, new: VerdictEntry) -> bool:
    """Whether two entries say the same, but for the last digits of what was measured."""
    if canonical([_unmeasured(old)]) != canonical([_unmeasured(new)]):
        return False
    return all(_close(before, after) for before, after in zip(_measured(old), _measured(new), strict=True))


def _measured(entry: VerdictEntry) -> list[float | None]:
    return [number for m in entry.verdict.measurements for number in (m.value, m.low, m.high)]


def _unmeasured(entry: VerdictEntry) -> VerdictEntry:
    bare = tuple(replace(m, value=0.0, low=None, high=None) for m in entry.verdict.measurements)
    return replace(entry, verdict=replace(entry.verdict, measurements=bare))


def _close(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is after
    return math.isclose(before, after, rel_tol=SAME) or (math.isnan(before) and math.isnan(after))
