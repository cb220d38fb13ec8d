"""A server that closes its listener at SIGTERM, and a preStop hook whose program is not in the image."""

BREAKS = {"D4"}
VALUES = {"extraEnv": [{"name": "SEATRIAL_FAULT", "value": "close-listener-on-sigterm"}]}


def patch(manifests, contract):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            container = manifest["spec"]["template"]["spec"]["containers"][0]
            container["lifecycle"] = {"preStop": {"exec": {"command": ["/usr/local/bin/no-such-sleep", "4"]}}}
    return manifests
