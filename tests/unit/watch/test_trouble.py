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


def an_event(about, reason, message, kind="Pod", type="Warning"):
    event = {"type": type, "reason": reason, "message": message, "involvedObject": {"kind": kind, "name": about}}
    return Change(at_s=1.0, kind="Event", type="ADDED", name=f"{about}.1", object=event)


def test_the_warning_that_explains_a_pod_is_quoted():
    waits = a_pod(containerStatuses=containers(state={"waiting": {"reason": "ContainerCreating"}}))
    said = 'MountVolume.SetUp failed for volume "w":\n  hostPath type check failed'
    mount = an_event("subject-1", "FailedMount", said)
    again = an_event("subject-1", "BackOff", "Back-off restarting failed container")
    other = an_event("another", "FailedScheduling", "0/3 nodes are available")
    assert trouble([waits, mount, again, other], []) == (
        "pod subject-1: server waits: ContainerCreating; "
        'FailedMount: MountVolume.SetUp failed for volume "w": hostPath type check failed'
    )


def test_where_there_is_no_pod_the_warning_about_what_should_make_it_is_quoted():
    """A StatefulSet that nothing acts on, a ReplicaSet whose pods a quota forbids."""
    forbidden = an_event("web-7f", "FailedCreate", "exceeded quota", kind="ReplicaSet")
    assert trouble([a_pod(ready=True), forbidden], []) == "ReplicaSet web-7f: FailedCreate: exceeded quota"
    inert = an_event("nightly", "NotSupported", "no CronJobs here", kind="CronJob")
    assert trouble([forbidden, inert], []) == (
        "ReplicaSet web-7f: FailedCreate: exceeded quota; CronJob nightly: NotSupported: no CronJobs here"
    )


def test_a_warning_about_a_pod_that_has_become_ready_explains_nothing():
    early = an_event("subject-1", "Unhealthy", "Readiness probe failed: connection refused")
    normal = an_event("web", "ScalingReplicaSet", "Scaled up", kind="Deployment", type="Normal")
    assert trouble([a_pod(ready=True), early, normal], []) == ""


def test_a_container_that_liveness_killed_did_not_end_by_itself():
    ended = a_pod(
        containerStatuses=containers(
            state={"running": {}}, lastState={"terminated": {"exitCode": 0, "reason": "Completed"}}
        )
    )
    probe = an_event("subject-1", "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")
    kill = an_event("subject-1", "Killing", "Container server failed liveness probe, will be restarted", type="Normal")
    assert trouble([ended, probe, kill], []) == (
        "pod subject-1: server exited with 0 (Completed); "
        "the kubelet killed it: Container server failed liveness probe, will be restarted; "
        "Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 500"
    )


def test_the_line_of_the_log_that_has_the_error_is_said_where_it_is_not_the_last():
    lines = ("loading weights", "[Errno 98] error while attempting to bind: address already in use", "bye", "", "done")
    log = Log("subject-1", "server", False, tuple((float(n), line) for n, line in enumerate(lines)))
    assert trouble([a_pod()], [log]) == (
        "pod subject-1: its log says: [Errno 98] error while attempting to bind: address already in use; "
        "its log ends: bye / done"
    )


def an_init(**status):
    return [{"name": "fetch", "ready": False, "state": {}, **status}]


def test_the_words_of_an_init_container_that_fails_are_those_that_are_told():
    """Another container has spoken later, and has nothing to do with it."""
    waits = containers(state={"waiting": {"reason": "PodInitializing"}})
    failed = {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
    }
    crashing = a_pod(initContainerStatuses=an_init(**failed), containerStatuses=waits)
    logs = [
        Log("subject-1", "fetch", True, ((1.0, "fetching"), (1.1, "URLError: Name or service not known"))),
        Log("subject-1", "fetch", False, ()),
    ]
    assert trouble([crashing], logs) == (
        "pod subject-1: fetch waits: CrashLoopBackOff; fetch exited with 1 (Error); server waits: PodInitializing; "
        "the log of fetch ends: fetching / URLError: Name or service not known"
    )


def test_the_last_words_are_those_of_a_container_that_is_not_ready():
    proxy = {"name": "proxy", "ready": True, "state": {"running": {}}}
    two = a_pod(containerStatuses=[proxy, *containers(state={"running": {}})])
    logs = [
        Log("subject-1", "server", False, ((1.0, "loading"),)),
        Log("subject-1", "proxy", True, ((1.0, "an earlier life"),)),
        Log("subject-1", "proxy", False, ((2.0, "GET /ping 200"),)),
    ]
    assert trouble([two], logs) == (
        "pod subject-1: server runs, and its readiness probe fails; the log of server ends: loading"
    )


def test_an_init_container_that_still_runs_holds_up_the_others_and_one_that_is_done_does_not():
    waits = containers(state={"waiting": {"reason": "PodInitializing"}})
    downloading = a_pod(initContainerStatuses=an_init(state={"running": {}}), containerStatuses=waits)
    assert trouble([downloading], []) == (
        "pod subject-1: fetch runs, and the others wait for its end; server waits: PodInitializing"
    )
    ended = an_init(ready=True, state={"terminated": {"exitCode": 0, "reason": "Completed"}})
    fetched = a_pod(initContainerStatuses=ended, containerStatuses=containers(state={"running": {}}))
    assert trouble([fetched], []) == "pod subject-1: server runs, and its readiness probe fails"


def test_a_sidecar_among_the_init_containers_is_held_up_by_its_own_probe():
    beside = a_pod(initContainerStatuses=an_init(state={"running": {}}))
    beside.object["spec"] = {"initContainers": [{"name": "fetch", "restartPolicy": "Always"}]}
    assert trouble([beside], []) == "pod subject-1: fetch runs, and its readiness probe fails"
