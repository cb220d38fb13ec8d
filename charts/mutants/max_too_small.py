"""The autoscaler stops short of the promised maximum."""

BREAKS = {"A6"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "HorizontalPodAutoscaler":
            manifest["spec"]["maxReplicas"] = manifest["spec"]["minReplicas"] + 1
    return manifests
