"""One row of the kill matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seatrial.contract import Contract, merged
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
        """What a service with this promises."""
        return overlaid(contract, self.contract)


def overlaid(contract: Contract, promises: Mapping[str, Any]) -> Contract:
    """The contract with other promises laid over its own."""
    return Contract.model_validate(merged(contract.model_dump(), promises)) if promises else contract
