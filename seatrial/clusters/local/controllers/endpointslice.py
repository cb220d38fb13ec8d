"""EndpointSlices: which pods a Service leads to, and how far each of them can be trusted.

Source: kubernetes/pkg/controller/endpointslice and k8s.io/endpointslice (utils.go, podToEndpoint).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seatrial.clusters.local.controllers.controller import MANAGER, Controller
from seatrial.clusters.local.controllers.objects import (
    Key,
    Obj,
    controlled_by,
    is_deleted,
    is_finished,
    is_ready,
    key_of,
    owner_reference,
    selects,
    uid_of,
)
from seatrial.clusters.local.store import Event, Store, timestamp

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER_NAME = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
TRIGGERED_AT = "endpoints.kubernetes.io/last-change-trigger-time"
MAX_ENDPOINTS = 100  # in one slice
# Nothing orders the news of a pod's end: on a cluster (kind, 1.34) new connections still reached pods some 40 ms
# after their SIGTERM at the median, 0.5 s at most. Here the two are one process, so without a delay a server
# that stops to listen at once would never be caught.
BATCH_PERIOD_S = 0.05

Part = tuple[list[Obj] | None, list[Obj] | None]  # the ports and the endpoints of one slice


class EndpointSliceController(Controller):
    """Keeps the EndpointSlices of every Service that has a selector."""

    watches = ("services", "pods", "endpointslices")

    def __init__(self, store: Store, batch_period_s: float = BATCH_PERIOD_S) -> None:
        """`batch_period_s` is kube-controller-manager's --endpointslice-updates-batch-period: a pod's change waits
        for others so long."""
        super().__init__(store)
        self._batch_period_s = batch_period_s

    def concerned(self, event: Event) -> Iterable[Key]:
        obj = event.object
        namespace = obj["metadata"].get("namespace", "")
        match obj["kind"]:
            case "Service":
                yield key_of(obj)
            case "EndpointSlice":
                # Only somebody else's change: a slice of ours that vanished or was edited is put right.
                service = (obj["metadata"].get("labels") or {}).get(SERVICE_NAME)
                if service and event.type != "ADDED":
                    yield namespace, service
            case _:
                labels = [obj["metadata"].get("labels")]
                if event.old is not None:
                    labels.append(event.old["metadata"].get("labels"))
                for service in self.store.list("services", namespace):
                    selector = {"matchLabels": service["spec"].get("selector")}
                    if selector["matchLabels"] and any(selects(selector, found) for found in labels):
                        if self._batch_period_s:
                            self.look_later(key_of(service), self._batch_period_s)
                        else:
                            yield key_of(service)

    def reconcile(self, key: Key) -> None:
        service = self.store.find("services", *key)
        if service is None or is_deleted(service) or not service["spec"].get("selector"):
            return
        pods = self.store.list("pods", key[0], service["spec"]["selector"])
        wanted = parts_of(service, pods)
        existing = [
            found
            for found in self.store.list("endpointslices", key[0], {SERVICE_NAME: key[1], MANAGED_BY: CONTROLLER_NAME})
            if controlled_by(found, service) and not is_deleted(found)
        ]
        # A slice keeps its ports for life as far as possible: whoever watches it sees endpoints come and go.
        for part in wanted:
            same_ports = next((found for found in existing if found["ports"] == part[0]), None)
            reused = same_ports or next(iter(existing), None)
            if reused is None:
                self.store.create("endpointslices", _slice(service, part), manager=MANAGER)
            else:
                existing.remove(reused)
                self._write(reused, service, part)
        for found in existing:
            self.store.delete("endpointslices", *key_of(found))

    def _write(self, found: Obj, service: Obj, part: Part) -> None:
        wanted = _slice(service, part)
        unchanged = (found["ports"], found["endpoints"]) == part
        if unchanged and found["metadata"].get("labels") == wanted["metadata"]["labels"]:
            return

        def change(draft: Obj) -> None:
            draft["ports"], draft["endpoints"] = part
            draft["metadata"]["labels"] = wanted["metadata"]["labels"]
            draft["metadata"].setdefault("annotations", {})[TRIGGERED_AT] = timestamp()

        self.store.mutate("endpointslices", *key_of(found), change, manager=MANAGER)


def parts_of(service: Obj, pods: Sequence[Obj]) -> list[Part]:
    """The ports and endpoints of the slices a Service should have; one without any if no pod is there yet.

    A pod is in from its address to its end, so a terminating one stays, not ready. Pods that differ in what
    a named port means are in different slices.
    """
    by_ports: dict[str, Part] = {}
    for pod in pods:
        if is_finished(pod) or not (pod.get("status") or {}).get("podIP"):
            continue
        ports = ports_of(service, pod)
        _, endpoints = by_ports.setdefault(repr(ports), (ports, []))
        assert endpoints is not None
        endpoints.append(endpoint_of(service, pod))
    parts: list[Part] = [
        (ports, (endpoints or [])[start : start + MAX_ENDPOINTS])
        for ports, endpoints in by_ports.values()
        for start in range(0, len(endpoints or []), MAX_ENDPOINTS)
    ]
    return parts or [(None, None)]


def endpoint_of(service: Obj, pod: Obj) -> Obj:
    """A pod as an endpoint. A terminating one is never ready, unless the Service asks for all addresses."""
    serving, terminating = is_ready(pod), is_deleted(pod)
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
    spec, namespace = pod["spec"], pod["metadata"]["namespace"]
    has_hostname = spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        **({"hostname": spec["hostname"]} if has_hostname else {}),
        **({"nodeName": spec["nodeName"]} if spec.get("nodeName") else {}),
        "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": namespace, "uid": uid_of(pod)},
    }


def ports_of(service: Obj, pod: Obj) -> list[Obj]:
    """The Service's ports as numbers on this pod; a name that the pod does not have is left out."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = _number(port, pod)
        if number is not None:
            protocol = {"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {}
            found.append(
                {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP"), **protocol}
            )
    return found


def _number(port: Obj, pod: Obj) -> int | None:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    spec = pod["spec"]
    sidecars = [found for found in spec.get("initContainers") or () if found.get("restartPolicy") == "Always"]
    for container in (*spec.get("containers", ()), *sidecars):
        for declared in container.get("ports") or ():
            same_protocol = declared.get("protocol", "TCP") == port.get("protocol", "TCP")
            if declared.get("name") == target and same_protocol:
                return int(declared["containerPort"])
    return None


def _slice(service: Obj, part: Part) -> Obj:
    ports, endpoints = part
    headless = {HEADLESS: ""} if service["spec"].get("clusterIP") == "None" else {}
    return {
        "metadata": {
            "generateName": f"{service['metadata']['name']}-",
            "namespace": service["metadata"]["namespace"],
            "labels": {
                **(service["metadata"].get("labels") or {}),
                **headless,
                SERVICE_NAME: service["metadata"]["name"],
                MANAGED_BY: CONTROLLER_NAME,
            },
            "annotations": {TRIGGERED_AT: timestamp()},
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }
