"""Answers in the form of a `Table`: what `kubectl get` prints.

Source: k8s.io/kubernetes/pkg/printers/internalversion; the columns and their order are those of a 1.34 server.
A column is (name, type, priority, cell); priority 1 is shown by `-o wide` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from seatrial.clusters.local.api import durations, selectors
from seatrial.clusters.local.api.kinds import Kind
from seatrial.clusters.local.api.pod_phase import pod_reason, ready_count, restarts

Obj = dict[str, Any]
Cell = Callable[[Obj], Any]
Column = tuple[str, str, int, Cell]

NONE = "<none>"
UNSET = "<unset>"


def table(kind: Kind, objects: Iterable[Obj], version: str, include: str = "Metadata", columns: bool = True) -> Obj:
    """The Table of some objects; `include` is None, Metadata or Object, `columns` False for a watch's later events."""
    layout = COLUMNS.get(kind.resource, _DEFAULT)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [_definition(column) for column in layout] if columns else None,
        "rows": [_row(layout, obj, include) for obj in objects],
    }


def _definition(column: Column) -> Obj:
    name, type_, priority, _ = column
    return {
        "name": name,
        "type": type_,
        "format": "name" if name == "Name" else "",
        "description": "",
        "priority": priority,
    }


def _row(layout: list[Column], obj: Obj, include: str) -> Obj:
    row: Obj = {"cells": [cell(obj) for _, _, _, cell in layout]}
    if include == "Object":
        row["object"] = obj
    elif include == "Metadata":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj["metadata"],
        }
    return row


# -- cells --------------------------------------------------------------------------------------------------------


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


def _text(cell: Cell) -> Cell:
    return lambda obj: str(cell(obj))


def _ratio(part: str, whole: str) -> Cell:
    parts, wholes = at(part, 0), at(whole, 0)
    return lambda obj: f"{parts(obj)}/{wholes(obj)}"


def _age(obj: Obj) -> str:
    return durations.since(obj["metadata"].get("creationTimestamp"))


def _selector(path: str) -> Cell:
    found = at(path, None)
    return lambda obj: selectors.as_text(found(obj)) or NONE


def _containers(path: str, field: str) -> Cell:
    found = at(path, ())
    return lambda obj: ",".join(container[field] for container in found(obj)) or NONE


def _ports(service: Obj) -> str:
    ports = service["spec"].get("ports") or ()
    texts = [
        f"{port['port']}{':' + str(port['nodePort']) if port.get('nodePort') else ''}/{port.get('protocol', 'TCP')}"
        for port in ports
    ]
    return ",".join(texts) or NONE


def _service_selector(service: Obj) -> str:
    terms = (service["spec"].get("selector") or {}).items()
    return ",".join(f"{key}={value}" for key, value in sorted(terms)) or NONE


def _external_ip(service: Obj) -> str:
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", NONE))
    found = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    addresses = [entry.get("ip") or entry.get("hostname", "") for entry in found] + spec.get("externalIPs", [])
    if addresses:
        return ",".join(addresses)
    return "<pending>" if spec.get("type") == "LoadBalancer" else NONE


def _job_status(job: Obj) -> str:
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


def _job_completions(job: Obj) -> str:
    succeeded = (job.get("status") or {}).get("succeeded", 0)
    wanted = job["spec"].get("completions")
    if wanted is not None:
        return f"{succeeded}/{wanted}"
    parallelism = job["spec"].get("parallelism", 1)
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _job_duration(job: Obj) -> str:
    status = job.get("status") or {}
    if not status.get("startTime"):
        return ""
    if status.get("completionTime"):
        return durations.between(status["startTime"], status["completionTime"])
    return durations.since(status["startTime"])


def _hpa_reference(hpa: Obj) -> str:
    target = hpa["spec"]["scaleTargetRef"]
    return f"{target['kind']}/{target['name']}"


def _hpa_targets(hpa: Obj) -> str:
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


def _slice_endpoints(endpoint_slice: Obj) -> str:
    found = [address for entry in endpoint_slice.get("endpoints") or () for address in entry.get("addresses", ())]
    return _first_three(found) if found else UNSET


def _slice_ports(endpoint_slice: Obj) -> str:
    found = [str(port.get("port", "")) for port in endpoint_slice.get("ports") or ()]
    return _first_three(found) if found else UNSET


def _endpoints(endpoints: Obj) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in endpoints.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    return _first_three(found, " ") if found else NONE


def _first_three(found: list[str], gap: str = " ") -> str:
    rest = f"{gap}+ {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + rest


def _access_modes(obj: Obj) -> str:
    short = {
        "ReadWriteOnce": "RWO",
        "ReadOnlyMany": "ROX",
        "ReadWriteMany": "RWX",
        "ReadWriteOncePod": "RWOP",
    }
    modes = (obj.get("status") or {}).get("accessModes") or obj["spec"].get("accessModes") or ()
    return ",".join(short.get(mode, mode) for mode in modes)


def _claim(volume: Obj) -> str:
    claim = volume["spec"].get("claimRef")
    return f"{claim['namespace']}/{claim['name']}" if claim else ""


def _phase_or_terminating(obj: Obj) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str((obj.get("status") or {}).get("phase", ""))


def _node_status(node: Obj) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((entry["status"] for entry in conditions if entry["type"] == "Ready"), "Unknown")
    texts = ["Ready" if ready == "True" else "NotReady"]
    if (node.get("spec") or {}).get("unschedulable"):
        texts.append("SchedulingDisabled")
    return ",".join(texts)


def _node_roles(node: Obj) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = [label.removeprefix(prefix) for label in node["metadata"].get("labels") or () if label.startswith(prefix)]
    return ",".join(sorted(roles)) or NONE


def _node_address(type_: str) -> Cell:
    found = at("status.addresses", ())
    return lambda node: next((entry["address"] for entry in found(node) if entry["type"] == type_), NONE)


def _event_object(event: Obj) -> str:
    involved = event["involvedObject"]
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def _event_source(event: Obj) -> str:
    source = event.get("source") or {}
    named = [source.get("component") or event.get("reportingComponent", ""), source.get("host", "")]
    return ", ".join(part for part in named if part)


def _event_last_seen(event: Obj) -> str:
    series = event.get("series") or {}
    return durations.since(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime"))


def _subjects(type_: str) -> Cell:
    def cell(binding: Obj) -> str:
        found = [subject for subject in binding.get("subjects") or () if subject["kind"] == type_]
        return ",".join(
            f"{subject['namespace']}/{subject['name']}" if subject.get("namespace") else subject["name"]
            for subject in found
        )

    return cell


def _hosts(ingress: Obj) -> str:
    hosts = [rule["host"] for rule in ingress["spec"].get("rules") or () if rule.get("host")]
    return ",".join(hosts) or "*"


def _readiness_gates(pod: Obj) -> str:
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    held = {entry["type"] for entry in (pod.get("status") or {}).get("conditions") or () if entry["status"] == "True"}
    return f"{sum(gate in held for gate in gates)}/{len(gates)}" if gates else NONE


def _last_schedule(cron_job: Obj) -> str:
    last = (cron_job.get("status") or {}).get("lastScheduleTime")
    return durations.since(last) if last else NONE


def _controller(obj: Obj) -> str:
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            group = owner["apiVersion"].partition("/")[0]
            return f"{owner['kind'].lower()}.{group}/{owner['name']}"
    return NONE


# -- columns ------------------------------------------------------------------------------------------------------

_NAME: Column = ("Name", "string", 0, at("metadata.name"))
_AGE: Column = ("Age", "string", 0, _age)
_DEFAULT: list[Column] = [_NAME, _AGE]


def _workload(prefix: str = "spec.template.spec") -> list[Column]:
    return [
        ("Containers", "string", 1, _containers(f"{prefix}.containers", "name")),
        ("Images", "string", 1, _containers(f"{prefix}.containers", "image")),
    ]


_SELECTOR: Column = ("Selector", "string", 1, _selector("spec.selector"))
_BINDING: list[Column] = [
    _NAME,
    ("Role", "string", 0, lambda obj: f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"),
    _AGE,
    ("Users", "string", 1, _subjects("User")),
    ("Groups", "string", 1, _subjects("Group")),
    ("ServiceAccounts", "string", 1, _subjects("ServiceAccount")),
]
_ROLE: list[Column] = [_NAME, ("Created At", "date", 0, at("metadata.creationTimestamp"))]

COLUMNS: dict[str, list[Column]] = {
    "pods": [
        _NAME,
        ("Ready", "string", 0, ready_count),
        ("Status", "string", 0, pod_reason),
        ("Restarts", "string", 0, restarts),
        _AGE,
        ("IP", "string", 1, at("status.podIP")),
        ("Node", "string", 1, at("spec.nodeName")),
        ("Nominated Node", "string", 1, at("status.nominatedNodeName")),
        ("Readiness Gates", "string", 1, _readiness_gates),
    ],
    "deployments": [
        _NAME,
        ("Ready", "string", 0, _ratio("status.readyReplicas", "spec.replicas")),
        ("Up-to-date", "string", 0, at("status.updatedReplicas", 0)),
        ("Available", "string", 0, at("status.availableReplicas", 0)),
        _AGE,
        *_workload(),
        _SELECTOR,
    ],
    "replicasets": [
        _NAME,
        ("Desired", "integer", 0, at("spec.replicas", 0)),
        ("Current", "integer", 0, at("status.replicas", 0)),
        ("Ready", "integer", 0, at("status.readyReplicas", 0)),
        _AGE,
        *_workload(),
        _SELECTOR,
    ],
    "statefulsets": [
        _NAME,
        ("Ready", "string", 0, _ratio("status.readyReplicas", "spec.replicas")),
        _AGE,
        *_workload(),
    ],
    "daemonsets": [
        _NAME,
        ("Desired", "integer", 0, at("status.desiredNumberScheduled", 0)),
        ("Current", "integer", 0, at("status.currentNumberScheduled", 0)),
        ("Ready", "integer", 0, at("status.numberReady", 0)),
        ("Up-to-date", "integer", 0, at("status.updatedNumberScheduled", 0)),
        ("Available", "integer", 0, at("status.numberAvailable", 0)),
        _AGE,
        *_workload(),
        _SELECTOR,
    ],
    "controllerrevisions": [
        _NAME,
        ("Controller", "string", 0, _controller),
        ("Revision", "string", 0, at("revision", 0)),
        _AGE,
    ],
    "jobs": [
        _NAME,
        ("Status", "string", 0, _job_status),
        ("Completions", "string", 0, _job_completions),
        ("Duration", "string", 0, _job_duration),
        _AGE,
        *_workload(),
        _SELECTOR,
    ],
    "cronjobs": [
        _NAME,
        ("Schedule", "string", 0, at("spec.schedule")),
        ("Timezone", "string", 0, at("spec.timeZone")),
        ("Suspend", "boolean", 0, at("spec.suspend", False)),
        ("Active", "integer", 0, count("status.active")),
        ("Last Schedule", "string", 0, _last_schedule),
        _AGE,
        *_workload("spec.jobTemplate.spec.template.spec"),
    ],
    "services": [
        _NAME,
        ("Type", "string", 0, at("spec.type", "ClusterIP")),
        ("Cluster-IP", "string", 0, at("spec.clusterIP")),
        ("External-IP", "string", 0, _external_ip),
        ("Port(s)", "string", 0, _ports),
        _AGE,
        ("Selector", "string", 1, _service_selector),
    ],
    "endpoints": [_NAME, ("Endpoints", "string", 0, _endpoints), _AGE],
    "endpointslices": [
        _NAME,
        ("AddressType", "string", 0, at("addressType")),
        ("Ports", "string", 0, _slice_ports),
        ("Endpoints", "string", 0, _slice_endpoints),
        _AGE,
    ],
    "configmaps": [_NAME, ("Data", "string", 0, lambda obj: count("data")(obj) + count("binaryData")(obj)), _AGE],
    "secrets": [_NAME, ("Type", "string", 0, at("type")), ("Data", "string", 0, count("data")), _AGE],
    "serviceaccounts": [_NAME, ("Secrets", "string", 0, count("secrets")), _AGE],
    "namespaces": [_NAME, ("Status", "string", 0, at("status.phase")), _AGE],
    "persistentvolumeclaims": [
        _NAME,
        ("Status", "string", 0, _phase_or_terminating),
        ("Volume", "string", 0, at("spec.volumeName", "")),
        ("Capacity", "string", 0, at("status.capacity.storage", "")),
        ("Access Modes", "string", 0, _access_modes),
        ("StorageClass", "string", 0, at("spec.storageClassName", "")),
        ("VolumeAttributesClass", "string", 0, at("spec.volumeAttributesClassName", UNSET)),
        _AGE,
        ("VolumeMode", "string", 1, at("spec.volumeMode", UNSET)),
    ],
    "persistentvolumes": [
        _NAME,
        ("Capacity", "string", 0, at("spec.capacity.storage", "")),
        ("Access Modes", "string", 0, _access_modes),
        ("Reclaim Policy", "string", 0, at("spec.persistentVolumeReclaimPolicy", "")),
        ("Status", "string", 0, _phase_or_terminating),
        ("Claim", "string", 0, _claim),
        ("StorageClass", "string", 0, at("spec.storageClassName", "")),
        ("VolumeAttributesClass", "string", 0, at("spec.volumeAttributesClassName", UNSET)),
        ("Reason", "string", 0, at("status.reason", "")),
        _AGE,
        ("VolumeMode", "string", 1, at("spec.volumeMode", UNSET)),
    ],
    "nodes": [
        _NAME,
        ("Status", "string", 0, _node_status),
        ("Roles", "string", 0, _node_roles),
        _AGE,
        ("Version", "string", 0, at("status.nodeInfo.kubeletVersion", "")),
        ("Internal-IP", "string", 1, _node_address("InternalIP")),
        ("External-IP", "string", 1, _node_address("ExternalIP")),
        ("OS-Image", "string", 1, at("status.nodeInfo.osImage", "<unknown>")),
        ("Kernel-Version", "string", 1, at("status.nodeInfo.kernelVersion", "<unknown>")),
        ("Container-Runtime", "string", 1, at("status.nodeInfo.containerRuntimeVersion", "<unknown>")),
    ],
    "events": [
        ("Last Seen", "string", 0, _event_last_seen),
        ("Type", "string", 0, at("type", "")),
        ("Reason", "string", 0, at("reason", "")),
        ("Object", "string", 0, _event_object),
        ("Subobject", "string", 1, at("involvedObject.fieldPath", "")),
        ("Source", "string", 1, _event_source),
        ("Message", "string", 0, lambda obj: str(obj.get("message", "")).strip()),
        ("First Seen", "string", 1, lambda obj: durations.since(obj.get("firstTimestamp") or obj.get("eventTime"))),
        ("Count", "string", 1, at("count", 1)),
        ("Name", "string", 1, at("metadata.name")),
    ],
    "horizontalpodautoscalers": [
        _NAME,
        ("Reference", "string", 0, _hpa_reference),
        ("Targets", "string", 0, _hpa_targets),
        ("MinPods", "string", 0, _text(at("spec.minReplicas", UNSET))),
        ("MaxPods", "string", 0, at("spec.maxReplicas", 0)),
        ("Replicas", "string", 0, at("status.currentReplicas", 0)),
        _AGE,
    ],
    "poddisruptionbudgets": [
        _NAME,
        ("Min Available", "string", 0, _text(at("spec.minAvailable", "N/A"))),
        ("Max Unavailable", "string", 0, _text(at("spec.maxUnavailable", "N/A"))),
        ("Allowed Disruptions", "integer", 0, at("status.disruptionsAllowed", 0)),
        _AGE,
    ],
    "ingresses": [
        _NAME,
        ("Class", "string", 0, at("spec.ingressClassName")),
        ("Hosts", "string", 0, _hosts),
        ("Address", "string", 0, lambda obj: ""),
        ("Ports", "string", 0, lambda obj: "80, 443" if obj["spec"].get("tls") else "80"),
        _AGE,
    ],
    "networkpolicies": [_NAME, ("Pod-Selector", "string", 0, _selector("spec.podSelector")), _AGE],
    "roles": _ROLE,
    "clusterroles": _ROLE,
    "rolebindings": _BINDING,
    "clusterrolebindings": _BINDING,
    "leases": [_NAME, ("Holder", "string", 0, at("spec.holderIdentity", "")), _AGE],
    "storageclasses": [
        _NAME,
        ("Provisioner", "string", 0, at("provisioner", "")),
        ("ReclaimPolicy", "string", 0, at("reclaimPolicy", "Delete")),
        ("VolumeBindingMode", "string", 0, at("volumeBindingMode", "Immediate")),
        ("AllowVolumeExpansion", "string", 0, at("allowVolumeExpansion", False)),
        _AGE,
    ],
    "priorityclasses": [
        _NAME,
        ("Value", "integer", 0, at("value", 0)),
        ("Global-Default", "boolean", 0, at("globalDefault", False)),
        _AGE,
        ("PreemptionPolicy", "string", 0, at("preemptionPolicy", "PreemptLowerPriority")),
    ],
}
