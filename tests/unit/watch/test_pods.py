"""What the watch says of pods, read from changes as the API sends them."""

from math import inf

import pytest

from seatrial.observation import Change, Workload
from seatrial.watch.pods import (
    all_pods,
    deleted_at_s,
    endpoint_states,
    events,
    gone_at_s,
    latest,
    namesake_at_s,
    ready_at_s,
    ready_pods,
    restarts,
    terminations,
)

WEB = Workload("StatefulSet", "web")
OWNED = [{"kind": "StatefulSet", "name": "web"}]


def pod(at_s, name="a", *, type="MODIFIED", ready=True, ip="10.0.0.1", created="2026-01-01T00:00:00Z", uid="", **more):
    metadata = {"name": name, "uid": uid or f"uid-{name}", "creationTimestamp": created, "ownerReferences": OWNED}
    if more.pop("deleted", False):
        metadata["deletionTimestamp"] = "2026-01-01T00:01:00Z"
    status = {"conditions": [{"type": "Ready", "status": str(ready)}], "podIP": ip, **more}
    return Change(at_s, "Pod", type, name, {"metadata": metadata, "spec": {"containers": []}, "status": status})


def container(name="server", restarts=0, state=None, last=None):
    return {"name": name, "restartCount": restarts, "state": state or {"running": {}}, "lastState": last or {}}


def ended(code, id, reason="Completed"):
    return {"terminated": {"exitCode": code, "containerID": id, "reason": reason, "finishedAt": "2026-01-01T00:00:09Z"}}


def slice_of(at_s, name, type="MODIFIED", **endpoints):
    return Change(
        at_s,
        "EndpointSlice",
        type,
        name,
        {"endpoints": [{"targetRef": {"name": pod}, "conditions": c} for pod, c in endpoints.items()]},
    )


def test_the_latest_state_of_what_exists_is_kept():
    changes = [pod(1, "a", ready=False), pod(2, "a"), pod(3, "b"), pod(4, "b", type="DELETED")]
    assert list(latest(changes, "Pod")) == ["a"]
    assert latest(changes, "Pod")["a"] is changes[1].object
    assert latest(changes, "Event") == {}


def test_ready_pods_are_neither_unready_nor_going_and_come_oldest_first():
    changes = [
        pod(1, "young", created="2026-01-01T00:00:09Z"),
        pod(1, "b"),
        pod(1, "a"),
        pod(1, "loading", ready=False),
        pod(1, "going", deleted=True),
    ]
    assert [each.name for each in ready_pods(changes, WEB)] == ["a", "b", "young"]


def test_every_pod_that_had_an_address_is_remembered():
    changes = [
        pod(1, "a", ip=""),
        pod(2, "a", ip="10.0.0.7"),
        pod(3, "a", type="DELETED", ip="10.0.0.7"),
        pod(4, "b", ip=""),
    ]
    assert [(each.name, each.ip) for each in all_pods(changes, WEB)] == [("a", "10.0.0.7")]


def test_the_first_ready_and_the_removal_are_timed():
    changes = [pod(1, ready=False), pod(2), pod(3), pod(4, type="DELETED"), pod(5, "b", type="DELETED")]
    (a,) = all_pods(changes[:1], WEB)
    assert (ready_at_s(changes, "a"), gone_at_s(changes, a)) == (2, 4)
    assert (ready_at_s(changes, "c"), gone_at_s(changes[:3], a)) == (None, None)


def test_a_pod_made_anew_under_its_name_has_an_end_of_its_own():
    first = [pod(1, type="ADDED", uid="first"), pod(2, type="DELETED", uid="first")]
    second = [pod(3, type="ADDED", uid="second"), pod(4, type="DELETED", uid="second")]
    lives = [all_pods(changes, WEB)[0] for changes in (first, second)]
    assert [gone_at_s([*first, *second], life) for life in lives] == [2, 4]
    assert gone_at_s([*first, *second[:1]], lives[1]) is None
    assert namesake_at_s([*first, *second], "a", 1) == 3
    assert namesake_at_s([*first, *second], "a", 3) == inf


def test_a_deletion_is_seen_by_its_stamp_and_without_one_when_the_pod_is_gone():
    leaving = pod(2, "a", deleted=True)
    changes = [pod(1, "a"), leaving, pod(3, "a", type="DELETED"), pod(1, "b"), pod(2, "b", type="DELETED"), pod(1, "c")]
    assert [deleted_at_s(changes, name) for name in "abc"] == [2, 2, None]


# container lives


def test_a_life_that_ended_counts_once_however_often_it_is_told():
    statuses = [container(state=ended(0, "x"))]
    changes = [pod(1, containerStatuses=statuses), pod(2, containerStatuses=statuses, type="DELETED")]
    (end,) = terminations(changes, "a")
    assert (end.exit_code, end.seen_s, end.finished_at) == (0, 1, "2026-01-01T00:00:09Z")


def test_an_end_that_only_the_last_state_tells_is_seen():
    """A restart may follow so fast that no event shows the ended state itself."""
    changes = [
        pod(1, containerStatuses=[container()]),
        pod(2, containerStatuses=[container(restarts=1, last=ended(137, "x", "OOMKilled"))]),
        pod(3, containerStatuses=[container(restarts=1, state=ended(0, "y"), last=ended(137, "x", "OOMKilled"))]),
    ]
    assert [(end.exit_code, end.reason, end.seen_s) for end in terminations(changes, "a")] == [
        (137, "OOMKilled", 2),
        (0, "Completed", 3),
    ]


def test_the_object_of_deleted_may_be_the_first_to_tell():
    (end,) = terminations([pod(1), pod(2, type="DELETED", containerStatuses=[container(state=ended(143, "x"))])], "a")
    assert (end.exit_code, end.seen_s) == (143, 2)


def test_each_regular_container_counts_and_native_sidecars_do_not():
    changes = [
        pod(
            1,
            containerStatuses=[container("server", state=ended(0, "x")), container("proxy", state=ended(1, "y"))],
            initContainerStatuses=[container("sidecar", state=ended(137, "z"))],
        )
    ]
    assert [(end.container, end.exit_code) for end in terminations(changes, "a")] == [("server", 0), ("proxy", 1)]


def test_a_state_that_the_kubelet_made_up_is_no_end():
    lost = container(state=ended(137, "", "ContainerStatusUnknown"))
    assert terminations([pod(1, containerStatuses=[lost])], "a") == ()


def test_missing_fields_of_an_end_are_empty():
    state = {"terminated": {"exitCode": 2, "finishedAt": None, "reason": None}}
    (end,) = terminations([pod(1, containerStatuses=[container(state=state)])], "a")
    assert (end.exit_code, end.finished_at, end.reason) == (2, "", "")


def test_restarts_are_the_most_that_was_seen_containers_summed():
    changes = [
        pod(1, containerStatuses=[container(restarts=1), container("proxy", restarts=2)]),
        pod(2, containerStatuses=[container(restarts=1), container("proxy", restarts=1)]),
        pod(3, "b"),
    ]
    assert restarts(changes, WEB) == {"a": 3, "b": 0}


# endpoints

UP = {"ready": True, "serving": True, "terminating": False}


def states(changes, pod="a"):
    return [(s.at_s, s.ready, s.serving, s.terminating, s.present) for s in endpoint_states(changes, pod)]


def test_an_endpoint_is_followed_until_it_is_removed_each_state_once():
    ending = {"ready": False, "serving": True, "terminating": True}
    changes = [
        slice_of(1, "s", a=UP),
        slice_of(2, "s", a=UP, b=UP),
        slice_of(3, "s", a=ending, b=UP),
        slice_of(4, "s", a={**ending, "serving": False}, b=UP),
        slice_of(5, "s", b=UP),
        slice_of(6, "s", b=UP),
    ]
    assert states(changes) == [
        (1, True, True, False, True),
        (3, False, True, True, True),
        (4, False, False, True, True),
        (5, False, False, False, False),
    ]


@pytest.mark.parametrize("conditions", [{}, {"ready": None}, None])
def test_what_is_not_said_means_ready_and_serving(conditions):
    change = Change(
        1, "EndpointSlice", "ADDED", "s", {"endpoints": [{"targetRef": {"name": "a"}, "conditions": conditions}]}
    )
    assert states([change]) == [(1, True, True, False, True)]


def test_an_endpoint_that_moves_between_slices_is_never_gone():
    changes = [
        slice_of(1, "one", a=UP),
        slice_of(2, "two", a=UP),
        slice_of(3, "one"),
        slice_of(4, "two", type="DELETED", a=UP),
    ]
    assert states(changes) == [(1, True, True, False, True), (4, False, False, False, False)]


def test_slices_of_other_services_and_pods_do_not_matter():
    changes = [slice_of(1, "s", b=UP), Change(2, "EndpointSlice", "ADDED", "t", {"endpoints": None})]
    assert states(changes) == [(1, False, False, False, False)]
    nameless = Change(1, "EndpointSlice", "ADDED", "s", {"endpoints": [{"addresses": ["10.0.0.1"]}]})
    assert states([nameless]) == [(1, False, False, False, False)]


def test_events_are_chosen_by_reason_and_pod():
    def event(reason, pod="a", type="ADDED"):
        return Change(1, "Event", type, "e", {"reason": reason, "involvedObject": {"name": pod}})

    changes = [event("Killing"), event("Killing", "b"), event("Unhealthy"), event("Killing", type="DELETED")]
    changes += [pod(1, "a"), pod(1, "b")]
    assert len(events(changes, WEB, "Killing")) == 2
    assert len(events(changes, WEB, "Killing", "Unhealthy")) == 3
    assert events(changes, WEB, "Killing", pod="b") == (changes[1],)


def test_an_event_about_a_pod_of_another_is_not_the_workloads():
    about = {"reason": "Killing", "involvedObject": {"name": "database-0"}}
    assert events([pod(1), Change(1, "Event", "ADDED", "e", about)], WEB, "Killing") == ()
