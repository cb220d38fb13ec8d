"""Whether a pod may be beside those that are on the one node already. Pure.

Source: the scheduler's filters InterPodAffinity and PodTopologySpread, and their messages. One node is one domain of
every topology key that it has a label for.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from seatrial.clusters.local.api.selectors import matches_labels

Obj = dict[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
SPREAD = "1 node(s) didn't match pod topology spread constraints"


def unwanted(pod: Obj, node: Obj, others: Sequence[Obj]) -> Iterator[str]:
    """Why the pod may not be there, in the scheduler's words; nothing where it may."""
    keys = set(node["metadata"].get("labels") or {})
    if any(_meets(pod, term, others) for term in terms(pod, "podAntiAffinity") if term["topologyKey"] in keys):
        yield "1 node(s) didn't match pod anti-affinity rules"
    if any(
        term["topologyKey"] in keys and _meets(other, term, [pod])
        for other in others
        for term in terms(other, "podAntiAffinity")
    ):
        yield "1 node(s) didn't satisfy existing pods anti-affinity rules"
    wanted = terms(pod, "podAffinity")
    met = [term["topologyKey"] in keys and _meets(pod, term, others) for term in wanted]
    # The first of those that want to be together has nobody to go to.
    is_first = not any(_meets(pod, term, others) for term in wanted) and all(_meets(pod, t, [pod]) for t in wanted)
    if not all(met) and not (is_first and all(term["topologyKey"] in keys for term in wanted)):
        yield "1 node(s) didn't match pod affinity rules"
    yield from _spread(pod, keys, others)


def terms(pod: Obj, kind: str) -> list[Obj]:
    """The required terms of a pod's `podAffinity` or `podAntiAffinity`."""
    return ((pod["spec"].get("affinity") or {}).get(kind) or {}).get(REQUIRED) or []


def strict_spreads(pod: Obj) -> list[Obj]:
    """A pod's topology spread constraints that keep it from being scheduled."""
    constraints = pod["spec"].get("topologySpreadConstraints") or ()
    return [each for each in constraints if each.get("whenUnsatisfiable") == "DoNotSchedule"]


def _spread(pod: Obj, keys: set[str], others: Iterable[Obj]) -> Iterator[str]:
    for constraint in strict_spreads(pod):
        if constraint["topologyKey"] not in keys:
            yield f"{SPREAD} (missing required label)"
        elif constraint.get("minDomains", 1) > 1:
            # Fewer domains than that, so that the least that any of them has counts as 0.
            there = [other for other in others if "deletionTimestamp" not in other["metadata"]]
            alike = sum(_meets(pod, constraint, [each]) for each in (*there, pod))
            if alike > constraint["maxSkew"]:
                yield SPREAD


def _meets(pod: Obj, term: Obj, others: Iterable[Obj]) -> bool:
    """Whether one of the others is such as a term of the pod is about. Of any namespace where the term selects some."""
    own, labels = pod["metadata"].get("namespace"), pod["metadata"].get("labels") or {}
    namespaces = {*term.get("namespaces", ())} or {own}
    for other in others:
        theirs = other["metadata"].get("labels") or {}
        if (
            ("namespaceSelector" in term or other["metadata"].get("namespace") in namespaces)
            and matches_labels(term.get("labelSelector"), theirs)
            and all(theirs.get(key) == labels[key] for key in term.get("matchLabelKeys", ()) if key in labels)
            and all(theirs.get(key) != labels[key] for key in term.get("mismatchLabelKeys", ()) if key in labels)
        ):
            return True
    return False
