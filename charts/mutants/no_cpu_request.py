"""The container asks for no CPU: a utilisation cannot be computed."""

from ._manifests import container, cpu_request, utilisation_targets

BREAKS = {"A1"}


def applies_to(manifests, contract):
    return bool(utilisation_targets(manifests, contract)) and bool(cpu_request(manifests, contract))


def patch(manifests, contract):
    if found := container(manifests, contract):
        # A limit without a request would become the request.
        for part in (found.get("resources") or {}).values():
            part.pop("cpu", None)
    return manifests
