"""The autoscaler's target is ten times what was promised."""

BREAKS = {"A1"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "HorizontalPodAutoscaler":
            target = manifest["spec"]["metrics"][0]["resource"]["target"]
            target["averageUtilization"] *= 10
    return manifests
