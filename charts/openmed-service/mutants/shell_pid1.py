"""A shell is process 1 and does not pass signals on to the server."""

BREAKS = {"D8"}


def patch(manifests, contract):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            container = manifest["spec"]["template"]["spec"]["containers"][0]
            container["command"] = ["sh", "-c", "python -m openmed_service; true"]
    return manifests
