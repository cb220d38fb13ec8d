"""The Service goes on publishing pods that are not ready."""

from ._manifests import service

BREAKS = {"D4"}


def applies_to(manifests, contract):
    return service(manifests, contract) is not None


def patch(manifests, contract):
    if found := service(manifests, contract):
        found["spec"]["publishNotReadyAddresses"] = True
    return manifests
