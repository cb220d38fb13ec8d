"""Which pods may be beside one another on the one node.

Source: Kubernetes, "Assigning Pods to Nodes", "Pod Topology Spread Constraints".
"""

import pytest

from seatrial.clusters.local.kubelet.neighbours import unwanted

NODE = {"metadata": {"labels": {"kubernetes.io/hostname": "local-node"}}}
HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
WEB = {"matchLabels": {"app": "web"}}
APART = "1 node(s) didn't match pod anti-affinity rules"
UNSATISFIED = "1 node(s) didn't satisfy existing pods anti-affinity rules"
TOGETHER = "1 node(s) didn't match pod affinity rules"
SPREAD = "1 node(s) didn't match pod topology spread constraints"


def pod(app="web", namespace="n", labels=(), **spec):
    return {"metadata": {"namespace": namespace, "labels": {"app": app, **dict(labels)}}, "spec": spec}


def rule(kind, key=HOST, selector=WEB, **more):
    term = {"topologyKey": key, "labelSelector": selector, **more}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def why(subject, *others):
    return [*unwanted(subject, NODE, others)]


def test_pods_that_must_be_apart_are_one_to_a_node():
    apart = rule("podAntiAffinity")
    assert why(pod(**apart)) == []
    assert why(pod(**apart), pod("db")) == []
    assert why(pod(**apart), pod()) == [APART]
    assert why(pod(), pod("db", **apart)) == [UNSATISFIED]


def test_a_preference_keeps_nobody_away():
    term = {"weight": 1, "podAffinityTerm": {"topologyKey": HOST, "labelSelector": WEB}}
    preferred = {"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}}
    assert why(pod(**preferred), pod()) == []


def test_a_node_without_the_label_is_in_no_domain():
    assert why(pod(**rule("podAntiAffinity", ZONE)), pod()) == []
    assert why(pod(**rule("podAffinity", ZONE)), pod()) == [TOGETHER]


@pytest.mark.parametrize(
    ("term", "is_apart"),
    [
        ({}, True),
        ({"namespaces": ["n"]}, True),
        ({"namespaces": ["elsewhere"]}, False),
        ({"namespaceSelector": {}, "namespaces": ["elsewhere"]}, True),
        ({"matchLabelKeys": ["version"]}, False),
        ({"mismatchLabelKeys": ["version"]}, True),
        ({"selector": {"matchLabels": {"app": "db"}}}, False),
    ],
)
def test_whom_a_term_is_about(term, is_apart):
    new = pod(labels={"version": "2"}, **rule("podAntiAffinity", **term))
    assert why(new, pod(labels={"version": "1"})) == ([APART] if is_apart else [])


def test_pods_that_must_be_together_need_company_but_for_the_first():
    assert why(pod("db", **rule("podAffinity"))) == [TOGETHER]
    assert why(pod("db", **rule("podAffinity")), pod()) == []
    assert why(pod(**rule("podAffinity"))) == []


def constraint(key=HOST, how="DoNotSchedule", **more):
    one = {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": how, "labelSelector": WEB, **more}
    return {"topologySpreadConstraints": [one]}


def test_one_domain_is_always_even_unless_more_are_asked_for():
    assert why(pod(**constraint()), pod(), pod()) == []
    assert why(pod(**constraint(minDomains=2))) == []
    assert why(pod(**constraint(minDomains=2)), pod()) == [SPREAD]
    leaving = pod()
    leaving["metadata"]["deletionTimestamp"] = "2026-01-31T00:00:00Z"
    assert why(pod(**constraint(minDomains=2)), leaving) == []


def test_a_constraint_over_a_label_that_the_node_does_not_have():
    assert why(pod(**constraint(ZONE))) == [f"{SPREAD} (missing required label)"]
    assert why(pod(**constraint(ZONE, "ScheduleAnyway"))) == []
