"""What the parts of a contract share: strict models, promises, and numbers that a Helm value may govern."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

if TYPE_CHECKING:
    from seatrial.contract.rendered import Rendered

Seconds = Annotated[float, Field(gt=0)]
Json = Any


class Part(BaseModel):
    """A mapping of the file; keys that mean nothing are refused. The docstrings of the keys are shown by editors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Promise:
    """A part of the contract that a check or a trial asks for by its type.

    Who asks gets it; where the contract does not make it, a check is skipped and a trial is not run. A promise that
    stands in the file as a single value (a flag, a name) is a `RootModel`, which is false where it is not made.
    """

    def __bool__(self) -> bool:
        return True

    def cannot_keep(self, rendered: Rendered) -> Iterator[str]:
        """Why what the chart renders cannot keep this promise: key, expected, found, what to do; nothing if it can.

        Raises InputError for a file beside the contract that cannot be used.
        """
        yield from ()


class Governed(Part):
    """A promised number and the Helm value that governs it."""

    value: str
    """Dotted path in the chart's `values.yaml`; `\\.` is a dot within a key."""
    set: bool | int | float | str
    """What the trial installs with: the number that is promised then."""

    def __float__(self) -> float:
        return float(self.set)

    @field_validator("set")
    @classmethod
    def _is_a_number(cls, given: bool | int | float | str) -> bool | int | float | str:
        try:
            number = float(given)
        except ValueError:
            number = -1.0
        if not 0 <= number < float("inf"):
            raise ValueError(f"expected a number of 0 or more, found {given!r}; give the number promised")
        return given


def _above_zero(number: float | Governed) -> float | Governed:
    if float(number) <= 0:
        raise ValueError(f"expected more than 0, found {float(number):g}; remove the promise if none is made")
    return number


def with_texts(template: Json, change: Callable[[str], Json]) -> Json:
    """The same JSON value, with what `change` makes of each text in it; keys stay as they are."""
    if isinstance(template, str):
        return change(template)
    if isinstance(template, list):
        return [with_texts(item, change) for item in template]
    if isinstance(template, dict):
        return {key: with_texts(value, change) for key, value in template.items()}
    return template


Number = Annotated[float, Field(ge=0, allow_inf_nan=False)] | Governed
Positive = Annotated[Number, AfterValidator(_above_zero)]
