"""Readiness is an open port, and the server opens its port only when the model is loaded."""

SPARES = {"P1"}
VALUES = {"extraEnv": [{"name": "SEATRIAL_ODD", "value": "ready-at-first-accept"}]}


def patch(manifests, contract):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            probe = manifest["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
            probe["tcpSocket"] = {"port": probe.pop("httpGet")["port"]}
    return manifests
