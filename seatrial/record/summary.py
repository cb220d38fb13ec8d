"""What the verdicts of a run come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from seatrial.record.verdicts import VerdictEntry
from seatrial.verdict import Outcome

# A contract that promises next to nothing must not earn a certificate by it.
FEWEST_APPLICABLE_MUSTS = 20


@dataclass(frozen=True, slots=True)
class Summary:
    """Outcomes by level, and the exit status that follows from them."""

    counts: Mapping[str, Mapping[Outcome, int]]
    exit_status: int

    def count(self, level: str, *outcomes: Outcome) -> int:
        """How many checks of this level ended so."""
        return sum(self.counts.get(level, {}).get(outcome, 0) for outcome in outcomes)

    @property
    def applicable_musts(self) -> int:
        """MUST checks whose promise is made."""
        return sum(count for outcome, count in self.counts.get("MUST", {}).items() if outcome != Outcome.SKIPPED)

    @property
    def certified(self) -> bool:
        """All applicable MUSTs held, and there were enough of them to mean something."""
        return self.exit_status == 0 and self.applicable_musts >= FEWEST_APPLICABLE_MUSTS


def summarise(entries: Iterable[VerdictEntry]) -> Summary:
    """Exit status 1: a MUST failed. 2: a MUST could not be judged, or none was. 0: all MUSTs held."""
    counts: dict[str, Counter[Outcome]] = {}
    for entry in entries:
        counts.setdefault(entry.level, Counter())[entry.verdict.outcome] += 1
    musts = counts.get("MUST", Counter())
    judged = musts[Outcome.PASS]
    errors = sum(outcomes[Outcome.ERROR] for outcomes in counts.values())
    if musts[Outcome.FAIL]:
        exit_status = 1
    elif musts[Outcome.INCONCLUSIVE] or errors or not judged:
        exit_status = 2
    else:
        exit_status = 0
    return Summary(counts, exit_status)
