"""The `check` decorator: ties a pure function to an id, a level and the promise it judges.

The function's parameters say what it needs: one annotated `Contract` gets the contract, every other one the
observation type of a trial. Its name is the line in the report.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seatrial.contract import Contract
from seatrial.observation import Observation
from seatrial.trials.ablation import Ablation
from seatrial.verdict import Verdict

Level = Literal["MUST", "SHOULD"]
Judge = Callable[..., Verdict]


@dataclass(frozen=True, slots=True)
class Check:
    """One check as it was declared.

    `promise` is a dotted path in the contract, "" where it always applies. `on_schedule` says that its oracle counts
    from the times at which requests were due: it is judged only where the generator kept them. A check that judges
    rows by the times at which they were really sent does without: a late start does not undo a lost answer.
    `ablations` take its stimulus away.
    """

    id: str
    level: Level
    promise: str
    on_schedule: bool
    name: str
    title: str
    function: Judge
    source: Path
    ablations: tuple[Ablation, ...] = ()

    def observes(self) -> Mapping[str, type[Observation]]:
        """The observation type behind each parameter but the contract's."""
        return {name: _bare(kind) for name, kind in self._parameters().items() if kind is not Contract}

    def optional(self) -> frozenset[type[Observation]]:
        """The observations annotated `X | None`: None where the contract does not make the promise of their trial."""
        return frozenset(_bare(kind) for kind in self._parameters().values() if _bare(kind) is not kind)

    def contract_parameters(self) -> tuple[str, ...]:
        """The parameters that take the contract."""
        return tuple(name for name, kind in self._parameters().items() if kind is Contract)

    def _parameters(self) -> dict[str, Any]:
        hints = typing.get_type_hints(self.function)
        return {name: hints[name] for name in inspect.signature(self.function).parameters}


def _bare(kind: Any) -> Any:
    return next((part for part in typing.get_args(kind) if part is not type(None)), kind)


DECLARED = "__seatrial_check__"


def check(
    id: str,
    *,
    level: Level,
    promise: str = "",
    on_schedule: bool = True,
    ablation: Ablation | tuple[Ablation, ...] = (),
) -> Callable[[Judge], Judge]:
    """Declare a check: `id` is stable and unique, `promise` the part of the contract without which it is skipped.

    `ablation` takes its stimulus away (one of its trial, or one of each of its trials): it can decide nothing then,
    and the kill matrix sees that it does not.
    """
    ablations = ablation if isinstance(ablation, tuple) else (ablation,)

    def declare(function: Judge) -> Judge:
        source = Path(inspect.getsourcefile(function) or "").resolve()
        title = (inspect.getdoc(inspect.getmodule(function)) or function.__name__).splitlines()[0]
        declared = Check(id, level, promise, on_schedule, function.__name__, title, function, source, ablations)
        setattr(function, DECLARED, declared)
        return function

    return declare
