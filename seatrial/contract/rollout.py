"""What clients notice of an upgrade."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from seatrial.contract.base import Part, Promise
from seatrial.contract.workloads import pod_template

if TYPE_CHECKING:
    from seatrial.contract.rendered import Rendered


class HarmlessChange(Part):
    """An upgrade that alters the pod template, and no answer."""

    value: str
    """Dotted path in the chart's `values.yaml`, of a value that the pod template shows."""
    set: bool | int | float | str
    """What it is set to; not what it is anyway."""


class Rollout(Part, Promise):
    """An upgrade under load loses no request."""

    change: HarmlessChange
    """What the trial changes so that every pod is replaced."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Helm values of the releases under this trial."""

    def cannot_keep(self, rendered: Rendered) -> Iterator[str]:
        """A change that replaces no pod."""
        change = self.change
        after = pod_template(rendered.workload, rendered.changed(change.value, change.set))
        if after is not None and after == pod_template(rendered.workload, rendered.manifests):
            yield (
                f"rollout.change: expected a change that alters the pod template, found that "
                f"{change.value}={change.set} renders the same; name a value that the template shows, "
                "and set it to what it is not"
            )
