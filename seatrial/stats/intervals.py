"""What every estimate of this package hands back: two bounds and how sure they are."""

from dataclasses import dataclass

from seatrial.errors import InputError


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, both ends included, in the unit of what was measured."""

    low: float
    high: float
    confidence: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def refuse_unless_probability(value: float, what: str) -> None:
    """Raises InputError unless 0 < value < 1."""
    if not 0.0 < value < 1.0:
        raise InputError(
            f"{what}: expected a number between 0 and 1, found {value!r}; give a probability, not a percent"
        )
