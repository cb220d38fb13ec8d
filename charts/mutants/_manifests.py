"""What mutants look for in rendered manifests: the workload on trial, its container, the autoscalers."""


def server(manifests, contract):
    """The manifest that the pods on trial come from; None where it is not among these (an overlay's, for one)."""
    return next((manifest for manifest in manifests if manifest["kind"] == "Deployment"), None)


def pod_spec(manifests, contract):
    """The spec of the pods on trial, or None."""
    found = server(manifests, contract)
    return found["spec"]["template"]["spec"] if found else None


def container(manifests, contract):
    """The container that serves, or None."""
    spec = pod_spec(manifests, contract)
    named = [one for one in (spec or {}).get("containers", ()) if contract.container in ("", one["name"])]
    return named[0] if named else None


def cpu_request(manifests, contract):
    """What the container that serves asks for, as Kubernetes writes it (`100m`); "" for nothing."""
    resources = (container(manifests, contract) or {}).get("resources") or {}
    return str((resources.get("requests") or {}).get("cpu", ""))


def autoscalers(manifests):
    """Every HorizontalPodAutoscaler."""
    return [manifest for manifest in manifests if manifest["kind"] == "HorizontalPodAutoscaler"]


def utilisation_targets(manifests):
    """The `target` of each metric that is a share of the CPU request of whole pods."""
    return [
        metric["resource"]["target"]
        for autoscaler in autoscalers(manifests)
        for metric in autoscaler["spec"].get("metrics", ())
        if metric.get("type") == "Resource" and "averageUtilization" in metric["resource"]["target"]
    ]
