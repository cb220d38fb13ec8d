"""The `check` decorator: ties a pure function to an id and a level.

The types of the function's parameters say what it needs (`seatrial.suite.parameters`). Its name is the line in the
report.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seatrial.contract import Contract, Promise
from seatrial.contract.promises import most_specific
from seatrial.observation import Observation
from seatrial.suite.parameters import CONTEXT, Parameter, RunObservations, parameters_of
from seatrial.trials.ablation import Ablation
from seatrial.verdict import Verdict

Level = Literal["MUST", "SHOULD"]
Judge = Callable[..., Verdict]


@dataclass(frozen=True, slots=True)
class Check:
    """One check as it was declared.

    `timed` says that its oracle counts from the times at which requests were due: it is judged only where the
    generator kept them. A check that judges rows by the times at which they were really sent does without: a late
    start does not undo a lost answer. `ablations` take its stimulus away. `name` is its function's, with dashes:
    `drain-in-flight-finishes`.
    """

    id: str
    level: Level
    timed: bool
    name: str
    title: str
    function: Judge
    source: Path
    ablations: tuple[Ablation, ...] = ()

    @property
    def group(self) -> str:
        """The folder that its file is in: `drain`."""
        return self.source.parent.name

    def is_called(self, word: str) -> bool:
        """Whether this is its id, its name or its group, in either case, with dashes or underscores."""
        return word.lower().replace("_", "-") in (self.id.lower(), self.name, self.group.lower())

    def parameters(self) -> tuple[Parameter, ...]:
        """What the function asks for, in its order."""
        return parameters_of(self.function)

    def observes(self) -> Mapping[str, type[Observation]]:
        """The observation type behind each parameter that takes one."""
        return {asked.name: asked.kind for asked in self.parameters() if asked.is_a(Observation)}

    def optional(self) -> frozenset[type[Observation]]:
        """The observations annotated `X | None`: None where the contract does not make the promise of their trial."""
        return frozenset(asked.kind for asked in self.parameters() if asked.is_a(Observation) and asked.optional)

    @property
    def sees_all(self) -> bool:
        """Whether it asks for everything seen in a run, and so is judged last."""
        return any(asked.kind is RunObservations for asked in self.parameters())

    @property
    def promise(self) -> str:
        """Where the promises that it needs stand in a contract; "" where it always applies."""
        return ", ".join(self._needed_paths())

    def unmade(self, contract: Contract) -> str:
        """Where the promises that it needs and the contract does not make stand; "" where it applies."""
        paths = {Contract.path_of(kind): contract.promise(kind) for kind in self._needed()}
        return ", ".join(path for path in self._needed_paths() if not paths[path])

    def needs(self, promise: type[Promise]) -> bool:
        """Whether it is skipped where this promise is not made: it asks for that, or for one that is part of it."""
        path = Contract.path_of(promise)
        return any(needed == path or needed.startswith(f"{path}.") for needed in self._needed_paths())

    def of_contract(self, contract: Contract) -> dict[str, Any]:
        """The arguments that a contract holds, by parameter: promises (None where not made), and what is always there.

        Only for a contract that makes what the check needs.
        """
        promises = {asked.name: contract.promise(asked.kind) for asked in self.parameters() if asked.is_a(Promise)}
        always = {asked.name: CONTEXT[asked.kind](contract) for asked in self.parameters() if asked.kind in CONTEXT}
        return {**promises, **always}

    def of_run(self, run: RunObservations) -> dict[str, RunObservations]:
        """The arguments that take everything seen."""
        return {asked.name: run for asked in self.parameters() if asked.kind is RunObservations}

    def _needed(self) -> list[type[Promise]]:
        return [asked.promise for asked in self.parameters() if asked.promise and not asked.optional]

    def _needed_paths(self) -> list[str]:
        return most_specific([Contract.path_of(kind) for kind in self._needed()])


DECLARED = "__seatrial_check__"


def check(
    id: str, *, level: Level, timed: bool = False, ablation: Ablation | tuple[Ablation, ...] = ()
) -> Callable[[Judge], Judge]:
    """Declare a check. `id` is stable and unique; `timed` where it counts from the times at which requests were due.

    `ablation` takes its stimulus away (one of its trial, or one of each of its trials): it can decide nothing then,
    and the kill matrix sees that it does not.
    """
    ablations = ablation if isinstance(ablation, tuple) else (ablation,)

    def declare(function: Judge) -> Judge:
        source = Path(inspect.getsourcefile(function) or "").resolve()
        title = (inspect.getdoc(inspect.getmodule(function)) or function.__name__).splitlines()[0]
        name = function.__name__.replace("_", "-")
        declared = Check(id, level, timed, name, title, function, source, ablations)
        setattr(function, DECLARED, declared)
        return function

    return declare
