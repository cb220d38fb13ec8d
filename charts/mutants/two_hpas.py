"""Two autoscalers pull at one Deployment."""

import copy

BREAKS = {"A6"}


def patch(manifests):
    for manifest in list(manifests):
        if manifest["kind"] == "HorizontalPodAutoscaler":
            second = copy.deepcopy(manifest)
            second["metadata"]["name"] += "-second"
            manifests.append(second)
    return manifests
