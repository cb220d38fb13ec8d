"""One row of the kill matrix."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
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


def refuse_unknown(where: str, ids: Iterable[str], known: Collection[str]) -> None:
    """Raises InputError, `where` first, for an id that no check has: its check would lose a proof unseen."""
    if unknown := sorted(set(ids) - set(known)):
        near = get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}."
        raise InputError(
            f"{where}: expected ids of checks, found {', '.join(unknown)}; {hint} "
            "A check of your own is known with its --conformance"
        )


def overlaid(contract: Contract, promises: Mapping[str, Any], source: Path) -> Contract:
    """The contract with the promises of `source` laid over its own. Raises InputError where that is no contract."""
    if not promises:
        return contract
    try:
        return Contract.model_validate(merged(contract.model_dump(), promises))
    except ValidationError as refused:
        raise InputError(explained(source, refused.errors(), Contract)) from None
