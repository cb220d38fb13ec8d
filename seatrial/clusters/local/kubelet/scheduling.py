"""Whether a pod fits the one node. Pure.

Source: the scheduler's filters NodeResourcesFit, NodeAffinity, NodeUnschedulable, TaintToleration, VolumeBinding and
DynamicResources, and their messages. Nothing here allocates resource claims: no pod gets one.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from seatrial.clusters.local.controllers.quantity import milli
from seatrial.clusters.local.kubelet.neighbours import unwanted

Obj = dict[str, Any]


def unschedulable(pod: Obj, node: Obj, others: Sequence[Obj], claims: set[str]) -> str:
    """Why the pod cannot be placed, in the scheduler's words; empty when it can.

    `others` are the pods already on the node, `claims` the names of the namespace's PersistentVolumeClaims.
    """
    reasons = [*_missing_claims(pod, claims), *unfit(pod, node, others), *unwanted(pod, node, others)]
    return f"0/1 nodes are available: {', '.join(reasons)}." if reasons else ""


def unfit(pod: Obj, node: Obj, others: Sequence[Obj]) -> list[str]:
    """What of the pod does not suit the node, or would not fit in beside what others have reserved."""
    reasons = _insufficient(pod, node, others)
    if node["spec"].get("unschedulable") and not _tolerates(pod, {"key": "node.kubernetes.io/unschedulable"}):
        reasons.append("1 node(s) were unschedulable")
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] != "PreferNoSchedule" and not _tolerates(pod, taint):
            reasons.append(f"1 node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}")
    if not _selected(pod, node):
        reasons.append("1 node(s) didn't match Pod's node affinity/selector")
    reasons += [f'resource claim "{claim["name"]}" not found' for claim in pod["spec"].get("resourceClaims") or ()]
    return reasons


def requests(pod: Obj) -> Counter[str]:
    """What the pod reserves, in thousandths: its containers together, or its largest init container if greater."""
    total = Counter[str]()
    for container in pod["spec"]["containers"]:
        total.update(_requests(container))
    for container in pod["spec"].get("initContainers") or ():
        needed = _requests(container)
        if container.get("restartPolicy") == "Always":
            total.update(needed)
        else:
            total |= needed
    return total


def _requests(container: Obj) -> Counter[str]:
    resources = container.get("resources") or {}
    # A limit without a request is a request.
    amounts = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return Counter({name: milli(amount) for name, amount in amounts.items()})


def _insufficient(pod: Obj, node: Obj, others: Sequence[Obj]) -> list[str]:
    free = Counter({name: milli(amount) for name, amount in node["status"]["allocatable"].items()})
    for other in others:
        free.subtract(requests(other))
        free["pods"] -= 1000
    wanted = requests(pod)
    reasons = [f"1 Insufficient {name}" for name, amount in sorted(wanted.items()) if amount > max(free[name], 0)]
    return reasons if free["pods"] >= 1000 else ["1 Too many pods", *reasons]


def _missing_claims(pod: Obj, claims: set[str]) -> list[str]:
    volumes = pod["spec"].get("volumes") or ()
    named = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]
    return [f'persistentvolumeclaim "{name}" not found' for name in named if name not in claims]


def _tolerates(pod: Obj, taint: Obj) -> bool:
    for toleration in pod["spec"].get("tolerations") or ():
        effect = toleration.get("effect")
        if effect and effect != taint.get("effect", "NoSchedule"):
            continue
        exists = toleration.get("operator") == "Exists"
        if not toleration.get("key"):
            if exists:
                return True
        elif toleration["key"] == taint["key"] and (exists or toleration.get("value", "") == taint.get("value", "")):
            return True
    return False


def _selected(pod: Obj, node: Obj) -> bool:
    labels = node["metadata"].get("labels") or {}
    selector = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    name = {"metadata.name": node["metadata"]["name"]}
    return any(_term_matches(term, labels, name) for term in required["nodeSelectorTerms"])


def _term_matches(term: Obj, labels: dict[str, str], fields: dict[str, str]) -> bool:
    expressions, on_fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not on_fields:
        return False  # an empty term selects nothing
    return all(_matches(one, labels) for one in expressions) and all(_matches(one, fields) for one in on_fields)


def _matches(expression: Obj, labels: dict[str, str]) -> bool:
    value, wanted = labels.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return value is not None and int(value) > int(wanted[0])
        case _:  # Lt, the last one that the API accepts
            return value is not None and int(value) < int(wanted[0])
