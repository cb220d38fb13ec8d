"""Two autoscalers pull at one Deployment."""

import copy

from ._manifests import autoscalers

BREAKS = {"A6"}


def applies_to(manifests, contract):
    return bool(autoscalers(manifests, contract))


def patch(manifests, contract):
    for autoscaler in autoscalers(manifests, contract):
        second = copy.deepcopy(autoscaler)
        second["metadata"]["name"] += "-second"
        manifests.append(second)
    return manifests
