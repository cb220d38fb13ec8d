"""The autoscaler's target does not exist."""

BREAKS = {"A1"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "HorizontalPodAutoscaler":
            manifest["spec"]["scaleTargetRef"]["name"] += "-server"
    return manifests
