"""A server that closes its listener at SIGTERM, and a preStop hook that does not wait for the proxies."""

BREAKS = {"D4"}
VALUES = {"extraEnv": [{"name": "SEATRIAL_FAULT", "value": "close-listener-on-sigterm"}]}


def patch(manifests, contract):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            container = manifest["spec"]["template"]["spec"]["containers"][0]
            container["lifecycle"] = {"preStop": {"sleep": {"seconds": 0}}}
    return manifests
