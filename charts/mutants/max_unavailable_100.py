"""A rolling update may take all pods away at once."""

from ._manifests import server

BREAKS = {"R1"}
STRATEGY = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%", "maxSurge": 0}}


def applies_to(manifests, contract):
    return server(manifests, contract) is not None


def patch(manifests, contract):
    if found := server(manifests, contract):
        found["spec"]["strategy"] = STRATEGY
    return manifests
