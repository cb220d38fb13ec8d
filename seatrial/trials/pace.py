"""How long a load goes on that needs so many answers: for as long as the service takes to give them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """`wanted` answers, and `least_s` in any case.

    A service whose pace would not bring them within `longest_s` is given up after `patience_s`, and one that slows
    down as soon as its pace no longer does.
    """

    wanted: int
    least_s: float
    patience_s: float
    longest_s: float

    def goes_on(self, elapsed_s: float, answers: int) -> bool:
        """Whether the load goes on, after so many seconds and so many answers."""
        if elapsed_s < self.least_s:
            return True
        if answers >= self.wanted or elapsed_s >= self.longest_s:
            return False
        return elapsed_s < self.patience_s or self.whole_s(elapsed_s, answers) <= self.longest_s

    def whole_s(self, elapsed_s: float, answers: int) -> float:
        """How long all of them take at the pace until now; infinite where there was none."""
        return elapsed_s * self.wanted / answers if answers else float("inf")
