"""The Deployment's selector leaves out the release, and so matches an idle worker whose pods the autoscaler counts."""

import copy

BREAKS = {"A1"}
INSTANCE = "app.kubernetes.io/instance"


def patch(manifests):
    for manifest in list(manifests):
        if manifest["kind"] == "Deployment":
            manifests.append(_worker(manifest))
            # The Service still tells them apart: only the autoscaler, which goes by this selector, does not.
            del manifest["spec"]["selector"]["matchLabels"][INSTANCE]
    return manifests


def _worker(server):
    worker = copy.deepcopy(server)
    worker["metadata"]["name"] += "-worker"
    worker["spec"]["replicas"] = 1
    for labels in (worker["spec"]["selector"]["matchLabels"], worker["spec"]["template"]["metadata"]["labels"]):
        labels[INSTANCE] += "-worker"
    container = worker["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"]
    for probe in ("livenessProbe", "readinessProbe"):
        container.pop(probe, None)
    return worker
