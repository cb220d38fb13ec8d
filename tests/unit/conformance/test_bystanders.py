"""What happens to pods that are not the subject's decides no verdict: a database, a hook Job, another Deployment."""

from dataclasses import replace

import pytest

from seatrial.observation import Change
from seatrial.verdict import Outcome
from tests.helpers.drains import deletion, pod, slices
from tests.helpers.observations import SUBJECT, contract, judged
from tests.helpers.overloads import CONCURRENCY, overload
from tests.unit.conformance.test_probes_saturation import event, restarted, unready
from tests.unit.conformance.test_weights import broken, promised

LIMITED = contract(limits={"concurrency": CONCURRENCY})


def owned(change, kind, name):
    """The same pod, made by somebody else."""
    metadata = {**change.object["metadata"], "ownerReferences": [{"kind": kind, "name": name}]}
    return replace(change, object={**change.object, "metadata": metadata})


DATABASE = [
    owned(restarted(70.0, "database-0"), "StatefulSet", "database"),
    event(69.0, "Killing", pod="database-0"),
    event(69.5, "Unhealthy", pod="database-0"),
]
HOOK = owned(unready(71.0, "migrate-x"), "Job", "migrate")  # completed: not Ready, and never will be
OTHER = owned(unready(72.0, "worker-1-x"), "ReplicaSet", "worker-1")


@pytest.mark.parametrize("id", ["P5", "L1", "L6", "L8"])
def test_what_dies_beside_an_overloaded_service_is_not_held_against_it(id):
    alone = judged(id, LIMITED, overload())
    among = judged(id, LIMITED, overload(changes=(*DATABASE, HOOK, OTHER)))
    assert (among.outcome, among.found, among.n) == (Outcome.PASS, alone.found, alone.n)


def test_the_same_pod_as_the_subjects_own_is_held_against_it():
    assert judged("P5", LIMITED, overload(changes=(restarted(70.0, "database-0"),))).outcome is Outcome.FAIL
    assert judged("L8", LIMITED, overload(changes=(unready(71.0, "migrate-x"),))).outcome is Outcome.FAIL


def test_a_database_that_is_ready_says_nothing_of_a_server_without_weights():
    ready = [
        owned(Change(40.0, "Pod", "MODIFIED", "database-0", pod("database-0")), "StatefulSet", "database")
        for _ in range(2)
    ]
    for change, namespace in zip(ready, ("ns-missing", "ns-truncated"), strict=True):
        change.object["metadata"]["namespace"] = namespace
    assert judged("P2", promised(), broken(extra=ready)).outcome is Outcome.PASS


def test_an_endpoint_of_another_service_is_no_replica_beside_the_victim():
    """The victim is the only one behind its own Service; the database's is always Ready."""
    seen = deletion()
    alone = [
        replace(change, object={**change.object, "endpoints": change.object["endpoints"][:1]})
        if change.kind == "EndpointSlice"
        else change
        for change in seen.timeline.changes
    ]
    beside = slices(0.0, **{"database-0": {"ready": True}})
    labels = {"metadata": {"labels": {"kubernetes.io/service-name": "database"}}}
    beside = replace(beside, name="database-x", object={**beside.object, **labels})
    timeline = replace(seen.timeline, changes=(beside, *alone))
    seen = replace(seen, timeline=timeline, subject=replace(SUBJECT, service="subject"))
    assert judged("D4", contract(), seen).outcome is Outcome.INCONCLUSIVE
