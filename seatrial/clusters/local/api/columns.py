"""The columns of the tables that `kubectl get` prints, for each kind; their order is that of a 1.34 server.

A column is (name, type, priority, cell); priority 1 is shown by `-o wide` only.
"""

from __future__ import annotations

from typing import Any

from seatrial.clusters.local.api import durations
from seatrial.clusters.local.api.cells import (
    UNSET,
    Cell,
    access_modes,
    age,
    at,
    claim_of,
    containers,
    controller_of,
    count,
    endpoints_of,
    event_last_seen,
    event_object,
    event_source,
    external_ip,
    hosts,
    hpa_reference,
    hpa_targets,
    job_completions,
    job_duration,
    job_status,
    last_schedule,
    node_address,
    node_roles,
    node_status,
    phase_or_terminating,
    ratio,
    readiness_gates,
    selector,
    service_ports,
    service_selector,
    slice_endpoints,
    slice_ports,
    subjects,
    text,
)
from seatrial.clusters.local.api.pod_phase import pod_reason, ready_count, restarts

Obj = dict[str, Any]
Column = tuple[str, str, int, Cell]

_NAME: Column = ("Name", "string", 0, at("metadata.name"))
_AGE: Column = ("Age", "string", 0, age)
DEFAULT: list[Column] = [_NAME, _AGE]


def _workload(prefix: str = "spec.template.spec") -> list[Column]:
    return [
        ("Containers", "string", 1, containers(f"{prefix}.containers", "name")),
        ("Images", "string", 1, containers(f"{prefix}.containers", "image")),
    ]


_SELECTOR: Column = ("Selector", "string", 1, selector("spec.selector"))
_BINDING: list[Column] = [
    _NAME,
    ("Role", "string", 0, lambda obj: f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"),
    _AGE,
    ("Users", "string", 1, subjects("User")),
    ("Groups", "string", 1, subjects("Group")),
    ("ServiceAccounts", "string", 1, subjects("ServiceAccount")),
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
        ("Readiness Gates", "string", 1, readiness_gates),
    ],
    "deployments": [
        _NAME,
        ("Ready", "string", 0, ratio("status.readyReplicas", "spec.replicas")),
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
        ("Ready", "string", 0, ratio("status.readyReplicas", "spec.replicas")),
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
        ("Controller", "string", 0, controller_of),
        ("Revision", "string", 0, at("revision", 0)),
        _AGE,
    ],
    "jobs": [
        _NAME,
        ("Status", "string", 0, job_status),
        ("Completions", "string", 0, job_completions),
        ("Duration", "string", 0, job_duration),
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
        ("Last Schedule", "string", 0, last_schedule),
        _AGE,
        *_workload("spec.jobTemplate.spec.template.spec"),
    ],
    "services": [
        _NAME,
        ("Type", "string", 0, at("spec.type", "ClusterIP")),
        ("Cluster-IP", "string", 0, at("spec.clusterIP")),
        ("External-IP", "string", 0, external_ip),
        ("Port(s)", "string", 0, service_ports),
        _AGE,
        ("Selector", "string", 1, service_selector),
    ],
    "endpoints": [_NAME, ("Endpoints", "string", 0, endpoints_of), _AGE],
    "endpointslices": [
        _NAME,
        ("AddressType", "string", 0, at("addressType")),
        ("Ports", "string", 0, slice_ports),
        ("Endpoints", "string", 0, slice_endpoints),
        _AGE,
    ],
    "configmaps": [_NAME, ("Data", "string", 0, lambda obj: count("data")(obj) + count("binaryData")(obj)), _AGE],
    "secrets": [_NAME, ("Type", "string", 0, at("type")), ("Data", "string", 0, count("data")), _AGE],
    "serviceaccounts": [_NAME, ("Secrets", "string", 0, count("secrets")), _AGE],
    "namespaces": [_NAME, ("Status", "string", 0, at("status.phase")), _AGE],
    "persistentvolumeclaims": [
        _NAME,
        ("Status", "string", 0, phase_or_terminating),
        ("Volume", "string", 0, at("spec.volumeName", "")),
        ("Capacity", "string", 0, at("status.capacity.storage", "")),
        ("Access Modes", "string", 0, access_modes),
        ("StorageClass", "string", 0, at("spec.storageClassName", "")),
        ("VolumeAttributesClass", "string", 0, at("spec.volumeAttributesClassName", UNSET)),
        _AGE,
        ("VolumeMode", "string", 1, at("spec.volumeMode", UNSET)),
    ],
    "persistentvolumes": [
        _NAME,
        ("Capacity", "string", 0, at("spec.capacity.storage", "")),
        ("Access Modes", "string", 0, access_modes),
        ("Reclaim Policy", "string", 0, at("spec.persistentVolumeReclaimPolicy", "")),
        ("Status", "string", 0, phase_or_terminating),
        ("Claim", "string", 0, claim_of),
        ("StorageClass", "string", 0, at("spec.storageClassName", "")),
        ("VolumeAttributesClass", "string", 0, at("spec.volumeAttributesClassName", UNSET)),
        ("Reason", "string", 0, at("status.reason", "")),
        _AGE,
        ("VolumeMode", "string", 1, at("spec.volumeMode", UNSET)),
    ],
    "nodes": [
        _NAME,
        ("Status", "string", 0, node_status),
        ("Roles", "string", 0, node_roles),
        _AGE,
        ("Version", "string", 0, at("status.nodeInfo.kubeletVersion", "")),
        ("Internal-IP", "string", 1, node_address("InternalIP")),
        ("External-IP", "string", 1, node_address("ExternalIP")),
        ("OS-Image", "string", 1, at("status.nodeInfo.osImage", "<unknown>")),
        ("Kernel-Version", "string", 1, at("status.nodeInfo.kernelVersion", "<unknown>")),
        ("Container-Runtime", "string", 1, at("status.nodeInfo.containerRuntimeVersion", "<unknown>")),
    ],
    "events": [
        ("Last Seen", "string", 0, event_last_seen),
        ("Type", "string", 0, at("type", "")),
        ("Reason", "string", 0, at("reason", "")),
        ("Object", "string", 0, event_object),
        ("Subobject", "string", 1, at("involvedObject.fieldPath", "")),
        ("Source", "string", 1, event_source),
        ("Message", "string", 0, lambda obj: str(obj.get("message", "")).strip()),
        ("First Seen", "string", 1, lambda obj: durations.since(obj.get("firstTimestamp") or obj.get("eventTime"))),
        ("Count", "string", 1, at("count", 1)),
        ("Name", "string", 1, at("metadata.name")),
    ],
    "horizontalpodautoscalers": [
        _NAME,
        ("Reference", "string", 0, hpa_reference),
        ("Targets", "string", 0, hpa_targets),
        ("MinPods", "string", 0, text(at("spec.minReplicas", UNSET))),
        ("MaxPods", "string", 0, at("spec.maxReplicas", 0)),
        ("Replicas", "string", 0, at("status.currentReplicas", 0)),
        _AGE,
    ],
    "poddisruptionbudgets": [
        _NAME,
        ("Min Available", "string", 0, text(at("spec.minAvailable", "N/A"))),
        ("Max Unavailable", "string", 0, text(at("spec.maxUnavailable", "N/A"))),
        ("Allowed Disruptions", "integer", 0, at("status.disruptionsAllowed", 0)),
        _AGE,
    ],
    "ingresses": [
        _NAME,
        ("Class", "string", 0, at("spec.ingressClassName")),
        ("Hosts", "string", 0, hosts),
        ("Address", "string", 0, lambda obj: ""),
        ("Ports", "string", 0, lambda obj: "80, 443" if obj["spec"].get("tls") else "80"),
        _AGE,
    ],
    "networkpolicies": [_NAME, ("Pod-Selector", "string", 0, selector("spec.podSelector")), _AGE],
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
