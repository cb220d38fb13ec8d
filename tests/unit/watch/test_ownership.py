"""A namespace full of pods, and which of them are the subject's: by owners or labels, never by being there."""

import pytest

from seatrial.observation import Change, Observation, Workload
from seatrial.watch.ownership import bystanders, own_changes, pods_of
from seatrial.watch.pods import all_pods, events, living, ready_pods, restarts
from tests.helpers.observations import common

GATEWAY = Workload("Deployment", "gateway", service="gateway")
DATABASE = Workload("StatefulSet", "database")
ENGINES = Workload(selector={"app": "engine", "tier": "gpu"})


def pod(name, owner=None, *, at_s=1.0, labels=None, restarts=0, type="ADDED", containers=("server",), **metadata):
    item = {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": labels or {},
            **({"ownerReferences": [dict(zip(("kind", "name"), owner, strict=True))]} if owner else {}),
            **metadata,
        },
        "spec": {"containers": [{"name": each} for each in containers]},
        "status": {
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": each, "restartCount": restarts, "state": {}} for each in containers],
        },
    }
    return Change(at_s, "Pod", type, name, item)


def replica_set(name, deployment, at_s=0.5):
    owners = [{"kind": "Deployment", "name": deployment}]
    return Change(at_s, "ReplicaSet", "ADDED", name, {"metadata": {"name": name, "ownerReferences": owners}})


def killing(pod, at_s=5.0, kind="Pod"):
    about = {"kind": kind, "name": pod}
    return Change(at_s, "Event", "ADDED", f"killing-{pod}", {"reason": "Killing", "involvedObject": about})


def endpoints(service, *pods):
    labels = {"kubernetes.io/service-name": service}
    item = {"metadata": {"labels": labels}, "endpoints": [{"targetRef": {"name": each}} for each in pods]}
    return Change(6.0, "EndpointSlice", "ADDED", f"{service}-x", item)


# A release as charts are: a gateway with a sidecar in two generations, a worker, a database, a hook Job, a CronJob's
# Job, engines that something makes at run time, and a pod that nobody owns.
NAMESPACE = (
    pod("database-0", ("StatefulSet", "database"), restarts=2),
    replica_set("gateway-1", "gateway"),
    replica_set("gateway-2", "gateway"),
    replica_set("worker-1", "worker"),
    pod("gateway-1-a", ("ReplicaSet", "gateway-1"), containers=("server", "proxy"), restarts=1),
    pod("gateway-2-b", ("ReplicaSet", "gateway-2"), containers=("server", "proxy")),
    pod("worker-1-c", ("ReplicaSet", "worker-1")),
    pod("migrate-d", ("Job", "migrate")),
    pod("report-1-e", ("Job", "report-1")),
    pod("engine-f", labels={"app": "engine", "tier": "gpu"}),
    pod("engine-g", labels={"app": "engine", "tier": "cpu"}),
)


@pytest.mark.parametrize(
    ("workload", "own"),
    [
        (GATEWAY, {"gateway-1-a", "gateway-2-b"}),
        (Workload("Deployment", "worker"), {"worker-1-c"}),
        (DATABASE, {"database-0"}),
        (ENGINES, {"engine-f"}),
        (Workload("Deployment", "database"), set()),
        (Workload("StatefulSet", "gateway"), set()),
        (Workload("Deployment", ""), set()),
    ],
)
def test_pods_are_found_through_their_owners_or_their_labels(workload, own):
    assert pods_of(NAMESPACE, workload) == own


def test_a_pod_stays_the_workloads_when_it_and_its_replica_set_are_gone():
    gone = (pod("gateway-1-a", ("ReplicaSet", "gateway-1"), at_s=9.0, type="DELETED"),)
    assert "gateway-1-a" in pods_of((*NAMESPACE, *gone), GATEWAY)
    assert "gateway-1-a" not in living((*NAMESPACE, *gone), GATEWAY)


def test_a_pod_that_the_watch_saw_before_its_replica_set_is_the_workloads_all_the_same():
    assert pods_of(tuple(reversed(NAMESPACE)), GATEWAY) == {"gateway-1-a", "gateway-2-b"}


def test_whatever_counts_pods_counts_the_workloads_own():
    assert [each.name for each in ready_pods(NAMESPACE, GATEWAY)] == ["gateway-1-a", "gateway-2-b"]
    assert [each.name for each in all_pods(NAMESPACE, DATABASE)] == ["database-0"]
    assert restarts(NAMESPACE, GATEWAY) == {"gateway-1-a": 2, "gateway-2-b": 0}


def test_a_database_that_is_killed_is_no_event_of_the_gateway():
    changes = (*NAMESPACE, killing("database-0"))
    assert events(changes, GATEWAY, "Killing") == ()
    assert len(events(changes, DATABASE, "Killing")) == 1


def seen(*changes):
    return Observation(**{**common((), (*NAMESPACE, *changes)), "subject": GATEWAY})


def test_of_a_timeline_stays_what_is_about_the_subject():
    own = own_changes(seen(killing("database-0"), killing("gateway-1-a"), endpoints("gateway"), endpoints("database")))
    assert [change.name for change in own if change.kind == "Pod"] == ["gateway-1-a", "gateway-2-b"]
    assert [change.name for change in own if change.kind == "Event"] == ["killing-gateway-1-a"]
    assert [change.name for change in own if change.kind == "EndpointSlice"] == ["gateway-x"]


def test_events_about_anything_but_pods_stay():
    assert killing("gateway", kind="Deployment") in own_changes(seen(killing("gateway", kind="Deployment")))


def test_a_subject_without_a_service_keeps_every_endpoint_slice():
    record = Observation(
        **{**common((), (*NAMESPACE, endpoints("a"), endpoints("b"))), "subject": Workload("Deployment", "gateway")}
    )
    assert [change.name for change in own_changes(record) if change.kind == "EndpointSlice"] == ["a-x", "b-x"]


def test_bystanders_are_named_with_what_owns_them():
    assert bystanders(NAMESPACE, GATEWAY) == {
        "database-0": "StatefulSet database",
        "worker-1-c": "Deployment worker",
        "migrate-d": "Job migrate",
        "report-1-e": "Job report-1",
        "engine-f": "",
        "engine-g": "",
    }
