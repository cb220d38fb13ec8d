"""The Deployment's selector leaves out the release, and so matches an idle worker whose pods the autoscaler counts."""

import copy

from ._manifests import autoscalers, container, server, service

BREAKS = {"A1"}
INSTANCE = "app.kubernetes.io/instance"


def applies_to(manifests, contract):
    """The label is not the only one, and the Service has it too, so that no request goes to the worker."""
    found, entry = server(manifests, contract), service(manifests, contract)
    labels = found["spec"]["selector"].get("matchLabels", {}) if found else {}
    is_kept_apart = entry is not None and INSTANCE in (entry["spec"].get("selector") or {})
    return bool(autoscalers(manifests, contract)) and INSTANCE in labels and len(labels) > 1 and is_kept_apart


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
