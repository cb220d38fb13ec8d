"""Two replicas at least, as promised, and no window: only the minimum keeps the second when it is quiet."""

SPARES = {"A1", "A6"}
CONTRACT = {"autoscaling": {"min": 2}}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "HorizontalPodAutoscaler":
            manifest["spec"]["minReplicas"] = 2
            manifest["spec"]["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    return manifests
