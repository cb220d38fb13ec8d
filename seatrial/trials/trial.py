"""A trial: one stimulus, applied once to a release while everything is watched."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection
from dataclasses import MISSING, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from seatrial.contract import Contract, Promise
from seatrial.contract.promises import is_optional, the_one_type
from seatrial.observation import Observation
from seatrial.trials.limit import TimeLimit, TrialStopped

if TYPE_CHECKING:
    from seatrial.trials.context import TrialContext

Apply = Callable[..., Observation]
USUAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Trial:
    """`run(context, …)` applies the stimulus and returns an observation of type `observes`.

    `needs` are the types of its further parameters, in order: observations of earlier trials, and promises. Parameters
    by keyword only are no needs: how long and how often, with what a run takes as the default.
    `promises` are those without which there is nothing to do. `timed` says that its verdicts rest on timings: one lane
    is kept free of such trials. Those of a lower `order` start first. `lasts_s` is how long it takes on the reference
    service, embedded cluster, two cores: the forecast of what is left rests on it, and the limit at which the trial is
    stopped (`seatrial.trials.limit`). `watches` are the kinds that its sandboxes watch beside the usual ones
    (`seatrial.watch.watcher`).
    """

    name: str
    observes: type[Observation]
    needs: tuple[type[Any], ...]
    promises: tuple[type[Promise], ...]
    timed: bool
    order: int
    run: Apply
    lasts_s: float = USUAL_S
    watches: frozenset[str] = frozenset()

    @property
    def after(self) -> tuple[type[Observation], ...]:
        """The observations that it builds on."""
        return tuple(kind for kind in self.needs if issubclass(kind, Observation))

    def promised_by(self, contract: Contract) -> bool:
        """Whether the contract makes every promise that it needs."""
        return all(contract.promise(kind) for kind in self.promises)


def trial(
    name: str,
    *,
    promise: type[Promise] | None = None,
    timed: bool = True,
    order: int = 50,
    lasts_s: float = USUAL_S,
    watches: Collection[str] = (),
) -> Callable[[Apply], Trial]:
    """Declare a trial; what it observes and needs is read from the function's annotations.

    A promise that it needs is a parameter, or `promise` where the function has no use for it. `X | None` asks for a
    promise without needing it.
    """

    def declare(function: Apply) -> Trial:
        hints: dict[str, Any] = typing.get_type_hints(function)
        parameters = list(inspect.signature(function).parameters.values())[1:]
        asked = [hints[parameter.name] for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
        needs = tuple(the_one_type(kind) for kind in asked)
        required = [kind for kind in asked if not is_optional(kind) and issubclass(kind, Promise)]
        promises = (*([promise] if promise else []), *required)
        return Trial(name, hints["return"], needs, promises, timed, order, function, lasts_s, frozenset(watches))

    return declare


def run_trial(chosen: Trial, context: TrialContext, earlier: dict[type[Observation], Observation]) -> Observation:
    """Apply the stimulus, handing over what the trial needs; what it observed bears the trial's name.

    A trial that takes too long is stopped: its observation has what was seen until then, and says so in `stopped`.
    Raises TrialStopped where that is nothing.
    """
    given = [context.contract.promise(kind) if issubclass(kind, Promise) else earlier[kind] for kind in chosen.needs]
    own = (context.watching(chosen.watches) if chosen.watches else context).limited(TimeLimit(chosen.lasts_s))
    try:
        seen = chosen.run(own, *given)
    except TrialStopped as stopped:
        seen = _seen_until(stopped, chosen)
    return replace(seen, trial=chosen.name)


def _seen_until(stopped: TrialStopped, chosen: Trial) -> Observation:
    """What a stopped trial saw; what it did not come to has its default."""
    wanting = {field.name for field in fields(chosen.observes) if field.default is MISSING is field.default_factory}
    if not wanting <= set(stopped.seen):
        raise stopped
    return chosen.observes(**stopped.seen, stopped=str(stopped))
