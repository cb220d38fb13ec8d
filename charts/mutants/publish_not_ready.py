"""The Service goes on publishing pods that are not ready."""

BREAKS = {"D4"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "Service":
            manifest["spec"]["publishNotReadyAddresses"] = True
    return manifests
