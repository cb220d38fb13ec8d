"""The autoscaler's target is ten times what was promised."""

from ._manifests import utilisation_targets

BREAKS = {"A1"}


def applies_to(manifests, contract):
    return bool(utilisation_targets(manifests, contract))


def patch(manifests, contract):
    for target in utilisation_targets(manifests, contract):
        target["averageUtilization"] *= 10
    return manifests
