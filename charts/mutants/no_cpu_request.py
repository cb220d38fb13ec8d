"""The container asks for no CPU: a utilisation cannot be computed."""

BREAKS = {"A1"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            container = manifest["spec"]["template"]["spec"]["containers"][0]
            # A limit without a request would become the request.
            for part in container["resources"].values():
                part.pop("cpu", None)
    return manifests
