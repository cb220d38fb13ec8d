"""A trial: one stimulus, applied once to a release while everything is watched."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from seatrial.observation import Observation

if TYPE_CHECKING:
    from seatrial.trials.context import TrialContext

Apply = Callable[..., Observation]
USUAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Trial:
    """`run(context, earlier observations…)` applies the stimulus and returns an observation of type `observes`.

    `promise` is the part of the contract without which there is nothing to do. `after` are the observation types
    that `run` needs. `timed` says that its verdicts rest on timings: one lane is kept free of such trials. Those of
    a lower `order` start first. `lasts_s` is how long it takes on the reference service, embedded cluster, two cores:
    only the forecast of what is left rests on it.
    """

    name: str
    observes: type[Observation]
    after: tuple[type[Observation], ...]
    promise: str
    timed: bool
    order: int
    run: Apply
    lasts_s: float = USUAL_S


def trial(
    name: str, *, promise: str = "", timed: bool = True, order: int = 50, lasts_s: float = USUAL_S
) -> Callable[[Apply], Trial]:
    """Declare a trial; what it observes and needs is read from the function's annotations."""

    def declare(function: Apply) -> Trial:
        hints: dict[str, Any] = typing.get_type_hints(function)
        parameters = list(inspect.signature(function).parameters)[1:]
        after = tuple(hints[parameter] for parameter in parameters)
        return Trial(name, hints["return"], after, promise, timed, order, function, lasts_s)

    return declare


def run_trial(chosen: Trial, context: TrialContext, earlier: dict[type[Observation], Observation]) -> Observation:
    """Apply the stimulus, handing over what the trial needs; what it observed bears the trial's name."""
    return replace(chosen.run(context, *[earlier[kind] for kind in chosen.after]), trial=chosen.name)
