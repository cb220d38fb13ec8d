"""What a pod that is told to stop does with its work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from seatrial.contract.base import Governed, Number, Part, Promise, Seconds

if TYPE_CHECKING:
    from seatrial.contract.rendered import Rendered


class Drain(Part, Promise):
    """What a pod that is told to stop does with the work it has."""

    budget_s: Number
    """After SIGTERM, requests that take up to this long are finished. Less than the grace period."""
    grace_s: Governed | None = None
    """`terminationGracePeriodSeconds`, and the Helm value that governs it."""
    propagation_s: Seconds = 3.0
    """How long after a deletion new connections may still arrive, and must be accepted."""
    sign_log: str = ""
    """Part of the log line that shows that SIGTERM arrived."""
    exit_codes: tuple[int, ...] = (0, 143)
    """How a container may end."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Helm values of the releases under this trial."""

    def cannot_keep(self, rendered: Rendered) -> Iterator[str]:
        """A drain that is killed before its end, or that a long case outlasts."""
        budget_s = float(self.budget_s)
        grace_s = float(self.grace_s) if self.grace_s else rendered.grace_s()
        if budget_s >= grace_s:
            yield (
                f"drain.budget_s: expected less than the grace period of {grace_s:g} s, found {budget_s:g}; "
                "a drain that long is killed"
            )
        for place, api in rendered.contract.every_api().items():
            if api.long and api.long.seconds > budget_s:
                yield (
                    f"{place}.long.seconds: expected at most drain.budget_s ({budget_s:g}), "
                    f"found {api.long.seconds:g}; shorten the long case"
                )
