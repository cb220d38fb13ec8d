"""The Service goes on publishing pods that are not ready."""

BREAKS = {"D4"}


def applies_to(manifests, contract):
    return any(manifest["kind"] == "Service" for manifest in manifests)


def patch(manifests, contract):
    for manifest in manifests:
        if manifest["kind"] == "Service":
            manifest["spec"]["publishNotReadyAddresses"] = True
    return manifests
