"""An idle sidecar asks for four times the server's CPU, so that the server's load hardly shows."""

import copy

BREAKS = {"A1"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            spec = manifest["spec"]["template"]["spec"]
            server = spec["containers"][0]
            sidecar = {key: copy.deepcopy(server[key]) for key in ("image", "imagePullPolicy") if key in server}
            milli = int(server["resources"]["requests"]["cpu"].removesuffix("m"))
            spec["containers"].append(
                {
                    **sidecar,
                    "name": "idle",
                    "command": ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"],
                    "resources": {"requests": {"cpu": f"{4 * milli}m"}},
                }
            )
    return manifests
