"""The template drops the value: every pod has the cluster's default grace period."""

from ._manifests import pod_spec

BREAKS = {"D7"}
DEFAULT_S = 30


def applies_to(manifests, contract):
    governed = contract.drain.grace_s
    given = (pod_spec(manifests, contract) or {}).get("terminationGracePeriodSeconds")
    return given is not None and governed is not None and float(governed) != DEFAULT_S


def patch(manifests, contract):
    if spec := pod_spec(manifests, contract):
        spec.pop("terminationGracePeriodSeconds", None)
    return manifests
