"""The Deployment starts with more replicas than the autoscaler allows."""

from ._manifests import autoscalers, server

BREAKS = {"A6"}


def applies_to(manifests, contract):
    return bool(autoscalers(manifests, contract)) and server(manifests, contract) is not None


def patch(manifests, contract):
    if found := server(manifests, contract):
        found["spec"]["replicas"] = contract.autoscaling.max + 2
    return manifests
