"""Readiness is an open port, and the port is open before the model is loaded."""

BREAKS = {"P1"}


def patch(manifests, contract):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            probe = manifest["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
            probe["tcpSocket"] = {"port": probe.pop("httpGet")["port"]}
    return manifests
