"""Two replicas at least, as promised, and no window: only the minimum keeps the second when it is quiet."""

from ._manifests import autoscalers

SPARES = {"A1", "A6"}
CONTRACT = {"autoscaling": {"min": 2}}


def applies_to(manifests, contract):
    return bool(autoscalers(manifests, contract)) and contract.autoscaling.min == 1 and contract.autoscaling.max > 2


def patch(manifests, contract):
    for autoscaler in autoscalers(manifests, contract):
        autoscaler["spec"]["minReplicas"] = contract.autoscaling.min
        autoscaler["spec"]["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    return manifests
