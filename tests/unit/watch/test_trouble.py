"""Why a pod is not ready, as far as the watch and the logs tell."""

from seatrial.observation import Change, Log
from seatrial.watch.trouble import trouble


def a_pod(name="subject-1", ready=False, **status):
    conditions = [{"type": "Ready", "status": str(ready)}, *status.pop("conditions", ())]
    item = {"metadata": {"name": name}, "spec": {}, "status": {"conditions": conditions, **status}}
    return Change(at_s=1.0, kind="Pod", type="MODIFIED", name=name, object=item)


def containers(**status):
    return [{"name": "server", "ready": False, "state": {}, **status}]


def test_nothing_is_told_where_every_pod_is_ready():
    assert trouble([a_pod(ready=True)], []) == ""


def test_a_job_that_is_done_is_not_what_holds_up_a_release():
    done = a_pod("a-migration", phase="Succeeded", containerStatuses=containers(state={"terminated": {"exitCode": 0}}))
    assert trouble([done], []) == ""
    assert trouble([done, a_pod()], []).startswith("pod subject-1: ")


def test_a_crash_is_told_with_its_exit_code_and_the_last_words_of_the_life_that_ended():
    crashed = a_pod(
        containerStatuses=containers(
            state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container"}},
            lastState={"terminated": {"exitCode": 1, "reason": "Error"}},
        )
    )
    ended = Log("subject-1", "server", True, ((1.0, "Traceback"), (1.1, "OSError: Address already in use")))
    running = Log("subject-1", "server", False, ((2.0, "starting"),))
    assert trouble([crashed], [ended, running]) == (
        "pod subject-1: server waits: CrashLoopBackOff; server exited with 1 (Error); "
        "its log ends: Traceback / OSError: Address already in use"
    )


def test_an_image_that_cannot_be_had_is_told_in_the_kubelets_words():
    pulling = a_pod(
        containerStatuses=containers(state={"waiting": {"reason": "ErrImagePull", "message": "acme/x: not found"}})
    )
    assert "server waits: ErrImagePull, acme/x: not found" in trouble([pulling], [])


def test_a_container_that_runs_without_getting_ready_has_a_probe_that_fails():
    assert "its readiness probe fails" in trouble([a_pod(containerStatuses=containers(state={"running": {}}))], [])


def test_a_pod_that_no_node_has_room_for_is_told_as_such():
    pending = a_pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "Insufficient cpu"}])
    assert "Insufficient cpu" in trouble([pending], [])
