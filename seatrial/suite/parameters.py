"""What a check may ask for, each by a type.

- a promise of the contract (`Drain`, `ReadinessProbe`): the check is skipped where it is not made;
- the observation of a trial (`PodDeletion`): the trial is run;
- how the service is asked (`Api`, the default one), what is on trial (`DeclaredWorkload`), or the contract itself;
- the API whose streams are promised (`StreamingApi`): the check is skipped where none are;
- everything seen in a run (`RunObservations`).

`X | None` asks for a promise, or for the observation of a trial that needs one, and does without where it is not made.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from seatrial.contract import Api, Contract, DeclaredWorkload, Promise, Streaming, StreamingApi
from seatrial.contract.promises import is_optional, the_one_type
from seatrial.errors import InputError
from seatrial.observation import Observation

CONTEXT: Mapping[type, Callable[[Contract], Any]] = {
    Contract: lambda contract: contract,
    Api: lambda contract: contract.api(),
    DeclaredWorkload: lambda contract: contract.subject,
    StreamingApi: lambda contract: contract.streaming_api,
}
RESTS_ON: Mapping[type, type[Promise]] = {StreamingApi: Streaming}  # what is there only where a promise is made
MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class RunObservations:
    """Everything that the trials of a run saw, by the trial's name; and why others saw nothing.

    Only trials that another check asks for are run. A check that takes this is judged when all of them have ended.
    """

    observations: Mapping[str, Observation]
    lost: Mapping[str, str]

    def __iter__(self) -> Iterator[Observation]:
        return iter(self.observations.values())

    def __len__(self) -> int:
        return len(self.observations)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a check: the type that it asks for, and whether it does without."""

    name: str
    kind: Any
    optional: bool

    @property
    def promise(self) -> type[Promise] | None:
        """The promise that it asks for, or that what it asks for rests on."""
        promise: type[Promise] | None = self.kind if self.is_a(Promise) else RESTS_ON.get(self.kind)
        return promise

    def is_a(self, base: type) -> bool:
        """Whether it asks for a subclass of base."""
        return isinstance(self.kind, type) and issubclass(self.kind, base)


def parameters_of(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The parameters of a check. Raises NameError for an annotation that names nothing."""
    hints = typing.get_type_hints(function)
    return tuple(
        Parameter(name, the_one_type(hints.get(name)), is_optional(hints.get(name)))
        for name, parameter in inspect.signature(function).parameters.items()
    )


def refuse_unknown(source: Path, function: Callable[..., Any], observed: Collection[type[Observation]]) -> None:
    """Raises InputError for a parameter that nothing can be given for, naming the file, the parameter and what is near.

    `observed` are the observations of the trials that there are.
    """
    known = {kind.__name__: kind for kind in (*Contract.promises(), *observed, *CONTEXT, RunObservations)}
    where = f"{source}, {function.__name__}"
    try:
        asked_for = parameters_of(function)
    except NameError as unknown:
        raise InputError(
            f"{where}: expected parameters of known types, found {unknown}; import it, or correct it"
            f"{_near(str(unknown.name), known)}"
        ) from None
    for asked in asked_for:
        if asked.kind not in known.values():
            found = "no type" if asked.kind is None else getattr(asked.kind, "__name__", str(asked.kind))
            raise InputError(
                f"{where}: expected parameter `{asked.name}` to be a promise of the contract, what a trial observes, "
                f"or one of {', '.join([*(kind.__name__ for kind in CONTEXT), RunObservations.__name__])}, "
                f"found {found}{_near(found, known)}"
            )


def _near(found: str, known: Collection[str]) -> str:
    if near := get_close_matches(found, known, n=MOST_NAMES):
        return f"; did you mean {' or '.join(near)}?"
    return f"; these are known: {', '.join(sorted(known))}"
