"""The minimum is looked up under a key that nobody sets: two replicas are promised, one is kept when it is quiet."""

BREAKS = {"A6"}
CONTRACT = {"autoscaling": {"min": 2}}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "HorizontalPodAutoscaler":
            del manifest["spec"]["minReplicas"]  # a null from a wrong key; Kubernetes then takes 1
            # The default window would hold the size for five minutes, longer than the trial is idle.
            manifest["spec"]["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    return manifests
