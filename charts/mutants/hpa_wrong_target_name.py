"""The autoscaler's target does not exist."""

from ._manifests import autoscalers

BREAKS = {"A1"}


def applies_to(manifests, contract):
    return bool(autoscalers(manifests, contract))


def patch(manifests, contract):
    for autoscaler in autoscalers(manifests, contract):
        autoscaler["spec"]["scaleTargetRef"]["name"] += "-server"
    return manifests
