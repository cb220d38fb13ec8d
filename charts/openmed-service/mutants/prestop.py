"""The other healthy way to drain: the server closes its listener at SIGTERM, after a preStop hook has waited 4 s."""

SPARES = {"D1", "D4", "D5", "D7", "D8"}
VALUES = {"extraEnv": [{"name": "SEATRIAL_FAULT", "value": "close-listener-on-sigterm"}]}


def patch(manifests, contract):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            container = manifest["spec"]["template"]["spec"]["containers"][0]
            container["lifecycle"] = {"preStop": {"sleep": {"seconds": 4}}}
    return manifests
