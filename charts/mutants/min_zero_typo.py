"""The minimum is looked up under a key that nobody sets: two replicas are promised, one is kept when it is quiet."""

from ._manifests import autoscalers

BREAKS = {"A6"}
CONTRACT = {"autoscaling": {"min": 2}}


def applies_to(manifests, contract):
    return bool(autoscalers(manifests, contract)) and contract.autoscaling.max > 2


def patch(manifests, contract):
    for autoscaler in autoscalers(manifests, contract):
        autoscaler["spec"].pop("minReplicas", None)  # a null from a wrong key; Kubernetes then takes 1
        # The default window would hold the size for five minutes, longer than the trial is idle.
        autoscaler["spec"]["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    return manifests
