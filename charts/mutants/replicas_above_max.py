"""The Deployment starts with more replicas than the autoscaler allows."""

BREAKS = {"A6"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            manifest["spec"]["replicas"] = 5
    return manifests
