"""A rolling update makes no pod more than there are, and takes one away at a time."""

from ._manifests import server

SPARES = {"R1"}
STRATEGY = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}


def applies_to(manifests, contract):
    return server(manifests, contract) is not None


def patch(manifests, contract):
    if found := server(manifests, contract):
        found["spec"]["strategy"] = STRATEGY
    return manifests
