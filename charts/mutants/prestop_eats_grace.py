"""The preStop hook sleeps for most of the grace period, and leaves half of what the drain needs."""

from ._manifests import container, pod_spec

BREAKS = {"D7"}
DEFAULT_S = 30


def applies_to(manifests, contract):
    return container(manifests, contract) is not None


def patch(manifests, contract):
    if spec := pod_spec(manifests, contract):
        grace_s = spec.get("terminationGracePeriodSeconds", DEFAULT_S)
        seconds = int(grace_s - float(contract.drain.budget_s) / 2)
        container(manifests, contract)["lifecycle"] = {"preStop": {"sleep": {"seconds": seconds}}}
    return manifests
