"""The Deployment's selector leaves out the release, and so matches an idle worker whose pods the autoscaler counts."""

import copy

from ._manifests import autoscalers, container, server

BREAKS = {"A1"}
INSTANCE = "app.kubernetes.io/instance"


def applies_to(manifests, contract):
    """The label is not the only one, and the Service has it too, so that no request goes to the worker."""
    found = server(manifests, contract)
    labels = found["spec"]["selector"].get("matchLabels", {}) if found else {}
    services = [manifest["spec"].get("selector") or {} for manifest in manifests if manifest["kind"] == "Service"]
    own = [selector for selector in services if set(selector.items()) <= set(labels.items())]
    is_kept_apart = bool(own) and all(INSTANCE in selector for selector in own)
    return bool(autoscalers(manifests)) and INSTANCE in labels and len(labels) > 1 and is_kept_apart


def patch(manifests, contract):
    if found := server(manifests, contract):
        manifests.append(_worker(found, contract))
        # The Service still tells them apart: only the autoscaler, which goes by this selector, does not.
        del found["spec"]["selector"]["matchLabels"][INSTANCE]
    return manifests


def _worker(server, contract):
    worker = copy.deepcopy(server)
    worker["metadata"]["name"] += "-worker"
    worker["spec"]["replicas"] = 1
    for labels in (worker["spec"]["selector"]["matchLabels"], worker["spec"]["template"]["metadata"]["labels"]):
        labels[INSTANCE] += "-worker"
    idle = container([worker], contract)
    idle["command"] = ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"]
    for key in ("args", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
        idle.pop(key, None)
    return worker
