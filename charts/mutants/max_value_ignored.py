"""The autoscaler may make more replicas than was promised."""

BREAKS = {"A6"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "HorizontalPodAutoscaler":
            manifest["spec"]["maxReplicas"] += 2
    return manifests
