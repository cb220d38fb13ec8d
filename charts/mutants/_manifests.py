"""What mutants look for in rendered manifests: the workload under load, its container, the autoscalers."""

from seatrial.trials.context import RELEASE


def server(manifests, contract):
    """The manifest that the pods under load come from; None where it is not among these (an overlay's, for one)."""
    declared = contract.subject
    name = declared.name.format(release=RELEASE)
    alike = [manifest for manifest in manifests if manifest["kind"] == declared.kind and not declared.selector]
    return next((manifest for manifest in alike if name in ("", manifest["metadata"]["name"])), None)


def service(manifests, contract):
    """The Service under load, or None."""
    found = server(manifests, contract)
    name = contract.subject.service.format(release=RELEASE, name=found["metadata"]["name"] if found else "")
    services = [manifest for manifest in manifests if manifest["kind"] == "Service"]
    return next((manifest for manifest in services if manifest["metadata"]["name"] == name), None)


def pod_spec(manifests, contract):
    """The spec of the pods under load, or None."""
    found = server(manifests, contract)
    return found["spec"]["template"]["spec"] if found else None


def container(manifests, contract):
    """The container that serves, or None."""
    spec = pod_spec(manifests, contract)
    named = [one for one in (spec or {}).get("containers", ()) if contract.subject.container in ("", one["name"])]
    return named[0] if named else None


def cpu_request(manifests, contract):
    """What the container that serves asks for, as Kubernetes writes it (`100m`); "" for nothing."""
    resources = (container(manifests, contract) or {}).get("resources") or {}
    return str((resources.get("requests") or {}).get("cpu", ""))


def autoscalers(manifests, contract):
    """Each HorizontalPodAutoscaler of the workload under load; those of an overlay are, where none is named."""
    found = server(manifests, contract)
    target = found["metadata"]["name"] if found else contract.subject.name.format(release=RELEASE)
    every = [manifest for manifest in manifests if manifest["kind"] == "HorizontalPodAutoscaler"]
    return [one for one in every if target in ("", one["spec"]["scaleTargetRef"]["name"])]


def utilisation_targets(manifests, contract):
    """The `target` of each metric that is a share of the CPU request of whole pods."""
    return [
        metric["resource"]["target"]
        for autoscaler in autoscalers(manifests, contract)
        for metric in autoscaler["spec"].get("metrics", ())
        if metric.get("type") == "Resource" and "averageUtilization" in metric["resource"]["target"]
    ]
