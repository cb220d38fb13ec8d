"""Phase and conditions, worked out from what the containers do."""

import pytest

from seatrial.clusters.local.kubelet.status import ContainerRecord, conditions, phase, qos_class, waiting, with_times

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
BACKING_OFF = waiting("CrashLoopBackOff")


def ended(code: int):
    return {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}


def record(state, **fields) -> ContainerRecord:
    return ContainerRecord("main", "busybox", state=state, **fields)


@pytest.mark.parametrize(
    ("policy", "state", "expected"),
    [
        ("Always", waiting("ContainerCreating"), "Pending"),
        ("Always", RUNNING, "Running"),
        ("Always", ended(0), "Running"),
        ("Always", ended(1), "Running"),
        ("OnFailure", ended(0), "Succeeded"),
        ("OnFailure", ended(1), "Running"),
        ("Never", ended(0), "Succeeded"),
        ("Never", ended(1), "Failed"),
    ],
)
def test_the_phase_of_a_pod_with_one_container(policy: str, state, expected: str) -> None:
    assert phase(policy, [], [record(state)], ended=False) == expected


def test_a_container_that_is_held_back_has_run() -> None:
    assert phase("Always", [], [record(BACKING_OFF, last_state=ended(1))], ended=False) == "Running"


def test_a_pod_is_pending_until_its_init_containers_are_done() -> None:
    main = record(waiting("PodInitializing"))
    assert phase("Always", [record(RUNNING, init=True)], [main], ended=False) == "Pending"
    assert phase("Always", [record(ended(0), init=True)], [record(RUNNING)], ended=False) == "Running"


@pytest.mark.parametrize(("code", "expected"), [(0, "Succeeded"), (143, "Failed")])
def test_a_pod_that_was_stopped_succeeded_or_failed(code: int, expected: str) -> None:
    assert phase("Always", [], [record(ended(code))], ended=True) == expected


def test_one_running_container_keeps_a_pod_running() -> None:
    assert phase("Never", [], [record(ended(1)), record(RUNNING)], ended=False) == "Running"


def statuses(found) -> dict[str, str]:
    return {one["type"]: one["status"] for one in found}


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    pod = {"spec": {}}
    mains = [record(RUNNING, ready=True), ContainerRecord("second", "busybox", state=RUNNING)]
    found = conditions(pod, "Running", [], mains, has_sandbox=True)
    assert statuses(found)["Ready"] == "False"
    [ready] = [one for one in found if one["type"] == "Ready"]
    assert ready["message"] == "containers with unready status: [second]"
    mains[1].ready = True
    assert statuses(conditions(pod, "Running", [], mains, has_sandbox=True))["Ready"] == "True"


def test_a_sidecar_counts_for_readiness() -> None:
    sidecar = record(RUNNING, init=True, sidecar=True, started=True)
    found = conditions({"spec": {}}, "Running", [sidecar], [record(RUNNING, ready=True)], has_sandbox=True)
    assert statuses(found)["Initialized"] == "True"
    assert statuses(found)["Ready"] == "False"


def test_a_readiness_gate_holds_ready_back_but_not_containers_ready() -> None:
    pod = {"spec": {"readinessGates": [{"conditionType": "example.com/gate"}]}, "status": {"conditions": []}}
    found = conditions(pod, "Running", [], [record(RUNNING, ready=True)], has_sandbox=True)
    assert (statuses(found)["ContainersReady"], statuses(found)["Ready"]) == ("True", "False")


def test_a_finished_pod_is_initialized_and_not_ready() -> None:
    found = conditions({"spec": {}}, "Succeeded", [], [record(ended(0))], has_sandbox=True)
    assert (statuses(found)["Initialized"], statuses(found)["Ready"]) == ("True", "False")


def test_the_time_of_a_condition_is_that_of_its_last_change() -> None:
    old = [
        {"type": "Ready", "status": "False", "lastTransitionTime": "then"},
        {"type": "Initialized", "status": "True", "lastTransitionTime": "then"},
        {"type": "example.com/gate", "status": "True"},
    ]
    new = [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]
    ready, initialized, gate = with_times(new, old, "now")
    assert (ready["lastTransitionTime"], initialized["lastTransitionTime"]) == ("now", "then")
    assert gate["type"] == "example.com/gate"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
def test_quality_of_service(resources, expected: str) -> None:
    assert qos_class({"spec": {"containers": [{"resources": resources}]}}) == expected
