"""One row of the kill matrix."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeGuard

from pydantic import ValidationError

from seatrial.contract import Contract, merged
from seatrial.errors import InputError
from seatrial.explain import explained
from seatrial.trials.context import Injection

Kind = Literal["fault", "chart", "odd", "ablation"]


@dataclass(frozen=True)
class Row:
    """One thing that is planted, and the checks that are to notice it (or, for an oddity, not to)."""

    id: str
    kind: Kind
    checks: tuple[str, ...]
    description: str
    injection: Injection
    server_fault: str = ""  # has to say `fault_fired` in a log of the trial
    contract: Mapping[str, Any] = field(default_factory=dict)  # what a service with it declares, laid over the contract

    def under(self, contract: Contract) -> Contract:
        """What a service with this promises. Raises InputError where that is no contract."""
        return overlaid(contract, self.contract, Path(f"what {self.id} lays over the contract"))


def are_ids(given: object) -> TypeGuard[Collection[str]]:
    """Whether this is a collection of check ids, and not a text, whose letters would pass for some."""
    return isinstance(given, (set, frozenset, list, tuple)) and bool(given) and all(isinstance(id, str) for id in given)


def overlaid(contract: Contract, promises: Mapping[str, Any], source: Path) -> Contract:
    """The contract with the promises of `source` laid over its own. Raises InputError where that is no contract."""
    if not promises:
        return contract
    try:
        return Contract.model_validate(merged(contract.model_dump(), promises))
    except ValidationError as refused:
        raise InputError(explained(source, refused.errors(), Contract)) from None
