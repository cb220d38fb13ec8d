"""How the generator reaches a Service."""

from __future__ import annotations

from seatrial.clusters.base import Address
from seatrial.traffic.plan import ChosenTarget, ServiceTarget, Target
from seatrial.trials.context import TrialContext


def reach(context: TrialContext, address: Address) -> Target:
    """The target for an address: endpoints that the generator chooses, or one place that a proxy stands behind."""
    if address.choose_endpoints:
        return ChosenTarget(address.service, address.namespace, address.port_name, context.api.base_url)
    return ServiceTarget(address.service, address.host, address.port)
