"""Single cells of the tables that `kubectl get` prints.

Source: k8s.io/kubernetes/pkg/printers/internalversion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seatrial.clusters.local.api import durations, selectors

Obj = dict[str, Any]
Cell = Callable[[Obj], Any]

NONE = "<none>"
UNSET = "<unset>"


def at(path: str, default: Any = NONE) -> Cell:
    """The value at a dotted path; `default` where it is absent or empty."""
    steps = path.split(".")

    def cell(obj: Obj) -> Any:
        value: Any = obj
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        return default if value is None or value == "" else value

    return cell


def count(path: str) -> Cell:
    """How many entries the map or list at a path has."""
    found = at(path, ())
    return lambda obj: len(found(obj))


def text(cell: Cell) -> Cell:
    return lambda obj: str(cell(obj))


def ratio(part: str, whole: str) -> Cell:
    parts, wholes = at(part, 0), at(whole, 0)
    return lambda obj: f"{parts(obj)}/{wholes(obj)}"


def age(obj: Obj) -> str:
    return durations.since(obj["metadata"].get("creationTimestamp"))


def selector(path: str) -> Cell:
    found = at(path, None)
    return lambda obj: selectors.as_text(found(obj)) or NONE


def containers(path: str, field: str) -> Cell:
    found = at(path, ())
    return lambda obj: ",".join(container[field] for container in found(obj)) or NONE


def service_ports(service: Obj) -> str:
    ports = service["spec"].get("ports") or ()
    texts = [
        f"{port['port']}{':' + str(port['nodePort']) if port.get('nodePort') else ''}/{port.get('protocol', 'TCP')}"
        for port in ports
    ]
    return ",".join(texts) or NONE


def service_selector(service: Obj) -> str:
    terms = (service["spec"].get("selector") or {}).items()
    return ",".join(f"{key}={value}" for key, value in sorted(terms)) or NONE


def external_ip(service: Obj) -> str:
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", NONE))
    found = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    addresses = [entry.get("ip") or entry.get("hostname", "") for entry in found] + spec.get("externalIPs", [])
    if addresses:
        return ",".join(addresses)
    return "<pending>" if spec.get("type") == "LoadBalancer" else NONE


def job_status(job: Obj) -> str:
    held = {entry["type"] for entry in (job.get("status") or {}).get("conditions") or () if entry["status"] == "True"}
    for condition, shown in (
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ):
        if condition in held:
            return shown
    return "Terminating" if job["metadata"].get("deletionTimestamp") else "Running"


def job_completions(job: Obj) -> str:
    succeeded = (job.get("status") or {}).get("succeeded", 0)
    wanted = job["spec"].get("completions")
    if wanted is not None:
        return f"{succeeded}/{wanted}"
    parallelism = job["spec"].get("parallelism", 1)
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def job_duration(job: Obj) -> str:
    status = job.get("status") or {}
    if not status.get("startTime"):
        return ""
    if status.get("completionTime"):
        return durations.between(status["startTime"], status["completionTime"])
    return durations.since(status["startTime"])


def hpa_reference(hpa: Obj) -> str:
    target = hpa["spec"]["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


def hpa_targets(hpa: Obj) -> str:
    current = (hpa.get("status") or {}).get("currentMetrics") or []
    shown = []
    for index, metric in enumerate(hpa["spec"].get("metrics") or ()):
        source = metric.get(metric["type"][0].lower() + metric["type"][1:], {})
        seen = current[index] if index < len(current) else {}
        now = (seen.get(metric["type"][0].lower() + metric["type"][1:]) or {}).get("current", {})
        target = source.get("target", {})
        name = f"{source['name']}: " if metric["type"] in ("Resource", "ContainerResource") else ""
        if target.get("averageUtilization") is not None:
            value = now.get("averageUtilization")
            shown.append(f"{name}{'<unknown>' if value is None else f'{value}%'}/{target['averageUtilization']}%")
        else:
            wanted = target.get("averageValue") or target.get("value")
            suffix = " (avg)" if target.get("averageValue") else ""
            value = now.get("averageValue") or now.get("value") or "<unknown>"
            shown.append(f"{name}{value}/{wanted}{suffix}")
    return ", ".join(shown) or NONE


def slice_endpoints(endpoint_slice: Obj) -> str:
    found = [address for entry in endpoint_slice.get("endpoints") or () for address in entry.get("addresses", ())]
    return first_three(found) if found else UNSET


def slice_ports(endpoint_slice: Obj) -> str:
    found = [str(port.get("port", "")) for port in endpoint_slice.get("ports") or ()]
    return first_three(found) if found else UNSET


def endpoints_of(endpoints: Obj) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in endpoints.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    return first_three(found, " ") if found else NONE


def first_three(found: list[str], gap: str = " ") -> str:
    rest = f"{gap}+ {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + rest


def access_modes(obj: Obj) -> str:
    short = {
        "ReadWriteOnce": "RWO",
        "ReadOnlyMany": "ROX",
        "ReadWriteMany": "RWX",
        "ReadWriteOncePod": "RWOP",
    }
    modes = (obj.get("status") or {}).get("accessModes") or obj["spec"].get("accessModes") or ()
    return ",".join(short.get(mode, mode) for mode in modes)


def claim_of(volume: Obj) -> str:
    claim = volume["spec"].get("claimRef")
    return f"{claim['namespace']}/{claim['name']}" if claim else ""


def phase_or_terminating(obj: Obj) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str((obj.get("status") or {}).get("phase", ""))


def node_status(node: Obj) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((entry["status"] for entry in conditions if entry["type"] == "Ready"), "Unknown")
    texts = ["Ready" if ready == "True" else "NotReady"]
    if (node.get("spec") or {}).get("unschedulable"):
        texts.append("SchedulingDisabled")
    return ",".join(texts)


def node_roles(node: Obj) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = [label.removeprefix(prefix) for label in node["metadata"].get("labels") or () if label.startswith(prefix)]
    return ",".join(sorted(roles)) or NONE


def node_address(type_: str) -> Cell:
    found = at("status.addresses", ())
    return lambda node: next((entry["address"] for entry in found(node) if entry["type"] == type_), NONE)


def event_object(event: Obj) -> str:
    involved = event["involvedObject"]
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def event_source(event: Obj) -> str:
    source = event.get("source") or {}
    named = [source.get("component") or event.get("reportingComponent", ""), source.get("host", "")]
    return ", ".join(part for part in named if part)


def event_last_seen(event: Obj) -> str:
    series = event.get("series") or {}
    return durations.since(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime"))


def subjects(type_: str) -> Cell:
    def cell(binding: Obj) -> str:
        found = [subject for subject in binding.get("subjects") or () if subject["kind"] == type_]
        return ",".join(
            f"{subject['namespace']}/{subject['name']}" if subject.get("namespace") else subject["name"]
            for subject in found
        )

    return cell


def hosts(ingress: Obj) -> str:
    hosts = [rule["host"] for rule in ingress["spec"].get("rules") or () if rule.get("host")]
    return ",".join(hosts) or "*"


def readiness_gates(pod: Obj) -> str:
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    held = {entry["type"] for entry in (pod.get("status") or {}).get("conditions") or () if entry["status"] == "True"}
    return f"{sum(gate in held for gate in gates)}/{len(gates)}" if gates else NONE


def last_schedule(cron_job: Obj) -> str:
    last = (cron_job.get("status") or {}).get("lastScheduleTime")
    return durations.since(last) if last else NONE


def controller_of(obj: Obj) -> str:
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            group = owner["apiVersion"].partition("/")[0]
            return f"{owner['kind'].lower()}.{group}/{owner['name']}"
    return NONE
