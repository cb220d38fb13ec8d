"""An idle sidecar asks for four times the server's CPU, so that the server's load hardly shows."""

import copy

from seatrial.watch.cpu import cores

from ._manifests import container, cpu_request, pod_spec, utilisation_targets

BREAKS = {"A1"}


def applies_to(manifests, contract):
    return bool(utilisation_targets(manifests, contract)) and bool(cpu_request(manifests, contract))


def patch(manifests, contract):
    if found := container(manifests, contract):
        sidecar = {key: copy.deepcopy(found[key]) for key in ("image", "imagePullPolicy") if key in found}
        milli = round(4000 * cores(cpu_request(manifests, contract)))
        pod_spec(manifests, contract)["containers"].append(
            {
                **sidecar,
                "name": "idle",
                "command": ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"],
                "resources": {"requests": {"cpu": f"{milli}m"}},
            }
        )
    return manifests
