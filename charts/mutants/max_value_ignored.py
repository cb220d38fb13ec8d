"""The autoscaler may make more replicas than was promised."""

from ._manifests import autoscalers

BREAKS = {"A6"}


def applies_to(manifests, contract):
    return bool(autoscalers(manifests, contract))


def patch(manifests, contract):
    for autoscaler in autoscalers(manifests, contract):
        autoscaler["spec"]["maxReplicas"] += 2
    return manifests
