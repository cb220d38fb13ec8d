"""The autoscaler stops short of the promised maximum."""

from ._manifests import autoscalers

BREAKS = {"A6"}


def applies_to(manifests, contract):
    return bool(autoscalers(manifests, contract)) and contract.autoscaling.max > contract.autoscaling.min + 1


def patch(manifests, contract):
    for autoscaler in autoscalers(manifests, contract):
        autoscaler["spec"]["maxReplicas"] = contract.autoscaling.min + 1
    return manifests
