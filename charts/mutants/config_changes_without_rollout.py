"""A change of the configuration leaves the pods alone: the pod template has no checksum of its ConfigMap."""

from seatrial.contract import Governed

from ._manifests import server

BREAKS = {"L3", "B3"}


def _checksums(manifests, contract):
    """The annotations of the pods under load, and which of them are checksums."""
    found = server(manifests, contract)
    annotations = (found["spec"]["template"]["metadata"].get("annotations") or {}) if found else {}
    return annotations, [key for key in annotations if key.startswith("checksum/")]


def applies_to(manifests, contract):
    """Both trials change a value in mid-trial, and only a checksum brings it to the pods."""
    rate, batching = contract.limits.rate, contract.batching
    changes = rate and batching and all(isinstance(each, Governed) for each in (rate.per_second, batching.max_size))
    return bool(changes and _checksums(manifests, contract)[1])


def patch(manifests, contract):
    annotations, checksums = _checksums(manifests, contract)
    for key in checksums:
        del annotations[key]
    return manifests
