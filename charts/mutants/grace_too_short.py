"""The pod gets a grace period shorter than the drain it promises."""

from ._manifests import pod_spec

BREAKS = {"D7"}


def applies_to(manifests, contract):
    return pod_spec(manifests, contract) is not None


def patch(manifests, contract):
    if spec := pod_spec(manifests, contract):
        spec["terminationGracePeriodSeconds"] = max(1, int(2 / 3 * float(contract.drain.budget_s)))
    return manifests
