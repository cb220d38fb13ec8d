"""Every old pod is taken away before a new one is there."""

from ._manifests import server

BREAKS = {"R1"}
STRATEGY = {"type": "Recreate"}


def applies_to(manifests, contract):
    return server(manifests, contract) is not None


def patch(manifests, contract):
    if found := server(manifests, contract):
        found["spec"]["strategy"] = STRATEGY
    return manifests
