"""Pods are killed at once."""

from ._manifests import pod_spec

BREAKS = {"R1"}


def applies_to(manifests, contract):
    return pod_spec(manifests, contract) is not None


def patch(manifests, contract):
    if spec := pod_spec(manifests, contract):
        spec["terminationGracePeriodSeconds"] = 0
        for container in spec["containers"]:
            container.pop("lifecycle", None)
    return manifests
