"""Restart policies, the back-off between restarts, init containers and sidecars.

Source: Kubernetes, "Pod Lifecycle", restart policy; "Init Containers"; "Sidecar Containers".
"""

import itertools
from dataclasses import dataclass

import pytest

from semantics.kube import Kube, Recording, eventually, is_true, recording
from semantics.workload import Said, Witness

EXIT = "sys.exit({})"
PROXY = "on_sigterm(0); time.sleep(1); tell('up'); open('/tmp/up', 'w'); time.sleep(600)"
STARTED = {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 60}


def init(witness: Witness, name: str, code: str, **more) -> dict:
    return witness.container(code, name=name, **more)


def pods(witness: Witness) -> list[dict]:
    shared = {"volumes": [{"name": "work", "emptyDir": {}}]}
    mount = [{"name": "work", "mountPath": "/work-dir"}]
    return [
        witness.pod("crashing", EXIT.format(3)),
        witness.pod("always-zero", EXIT.format(0), spec={"restartPolicy": "Always"}),
        witness.pod("on-failure-zero", EXIT.format(0), spec={"restartPolicy": "OnFailure"}),
        witness.pod("on-failure-one", EXIT.format(1), spec={"restartPolicy": "OnFailure"}),
        witness.pod("never-zero", EXIT.format(0), spec={"restartPolicy": "Never"}),
        witness.pod("never-five", EXIT.format(5), spec={"restartPolicy": "Never"}),
        witness.pod("crashed", "import ctypes; ctypes.string_at(0)", spec={"restartPolicy": "Never"}),
        witness.pod("no-program", "", spec={"restartPolicy": "Never"}, command=["/no/such/program"]),
        witness.pod(
            "initialised",
            "tell('read', text=open('/work-dir/made').read()); time.sleep(600)",
            volumeMounts=mount,
            spec={
                **shared,
                "initContainers": [
                    init(witness, "first", "time.sleep(1); tell('done')"),
                    init(witness, "second", "open('/work-dir/made', 'w').write('yes')", volumeMounts=mount),
                ],
            },
        ),
        witness.pod("init-fails", "time.sleep(600)", spec={"initContainers": [init(witness, "first", EXIT.format(4))]}),
        witness.pod(
            "init-fails-for-good",
            "time.sleep(600)",
            spec={"restartPolicy": "Never", "initContainers": [init(witness, "first", EXIT.format(4))]},
        ),
        witness.pod(
            "with-sidecar",
            "on_sigterm(0, 0.5); time.sleep(2)",
            spec={
                "restartPolicy": "Never",
                "initContainers": [init(witness, "proxy", PROXY, restartPolicy="Always", startupProbe=STARTED)],
            },
        ),
    ]


@dataclass(frozen=True)
class Seen:
    """All pods, started together and watched until the crashing ones wait before their fourth start."""

    kube: Kube
    witness: Witness
    pods: Recording

    def said(self, pod: str, event: str = "", container: str = "") -> list[Said]:
        heard = self.witness.heard(self.kube.namespace, pod, event)
        return [message for message in heard if container in ("", message.container)]

    def status(self, pod: str) -> dict:
        return self.kube.get("Pod", pod)["status"]

    def container(self, pod: str) -> dict:
        return self.status(pod)["containerStatuses"][0]


@pytest.fixture(scope="module")
def seen(kube, witness):
    with recording(kube, "Pod") as watched:
        for pod in pods(witness):
            kube.create(pod)
        seen = Seen(kube, witness, watched)
        eventually(lambda: len(seen.said("crashing", "started")) >= 4, within_s=75, every_s=1)
        eventually(lambda: seen.container("crashing")["restartCount"] == 3)
        eventually(lambda: "waiting" in seen.container("crashing")["state"])
        yield seen


class TestBackOff:
    def test_restarts_wait_twice_as_long_each_time(self, seen):
        starts = [start.at for start in seen.said("crashing", "started")]
        second, third, fourth = (after - before for before, after in itertools.pairwise(starts))
        assert second < 10  # the first restart does not wait
        assert 9.5 <= third < 20
        assert 19.5 <= fourth < 40

    def test_waiting_is_called_crash_loop_back_off(self, seen):
        assert seen.container("crashing")["state"]["waiting"]["reason"] == "CrashLoopBackOff"

    def test_the_last_exit_code_is_kept(self, seen):
        assert seen.container("crashing")["lastState"]["terminated"]["exitCode"] == 3
        assert seen.container("crashing")["lastState"]["terminated"]["reason"] == "Error"

    def test_restarts_are_counted(self, seen):
        assert seen.container("crashing")["restartCount"] == 3

    def test_the_pod_still_counts_as_running(self, seen):
        assert seen.status("crashing")["phase"] == "Running"

    def test_an_event_tells_of_the_back_off(self, seen):
        assert seen.kube.events("crashing", "BackOff")

    def test_the_log_of_the_container_before_can_be_read(self, seen):
        assert seen.kube.log("crashing", previous="true") == ""


class TestRestartPolicy:
    def test_always_restarts_even_after_success(self, seen):
        assert seen.container("always-zero")["restartCount"] >= 2

    def test_on_failure_lets_success_be(self, seen):
        assert seen.status("on-failure-zero")["phase"] == "Succeeded"
        assert seen.container("on-failure-zero")["restartCount"] == 0

    def test_on_failure_restarts_after_failure(self, seen):
        assert seen.container("on-failure-one")["restartCount"] >= 2

    @pytest.mark.parametrize(
        ("pod", "phase", "code", "reason"),
        [
            ("never-zero", "Succeeded", 0, "Completed"),
            ("never-five", "Failed", 5, "Error"),
            ("crashed", "Failed", 139, "Error"),
        ],
    )
    def test_never_leaves_it_at_its_exit_code(self, seen, pod, phase, code, reason):
        ended = seen.container(pod)["state"]["terminated"]
        assert (seen.status(pod)["phase"], ended["exitCode"], ended["reason"]) == (phase, code, reason)
        assert len(seen.said(pod, "started")) == 1

    def test_a_program_that_is_not_there_cannot_run(self, seen):
        ended = seen.container("no-program")["state"]["terminated"]
        assert seen.status("no-program")["phase"] == "Failed"
        assert ended["exitCode"] == 128


class TestInitContainers:
    def test_each_ends_before_the_next_starts(self, seen):
        [first] = seen.said("initialised", "done", container="first")
        [second] = seen.said("initialised", "started", container="second")
        [main] = seen.said("initialised", "started", container="main")
        assert first.at < second.at < main.at

    def test_what_one_wrote_to_an_empty_dir_the_others_read(self, seen):
        assert seen.said("initialised", "read")[0].more["text"] == "yes"

    def test_until_they_are_done_the_pod_is_pending_and_not_initialized(self, seen):
        before = [change.object for change in seen.pods.of("initialised") if not is_true(change.object, "Initialized")]
        assert {pod["status"]["phase"] for pod in before} == {"Pending"}
        assert is_true(seen.kube.get("Pod", "initialised"), "Initialized")

    def test_a_failing_one_is_tried_again_and_keeps_the_others_waiting(self, seen):
        assert len(seen.said("init-fails", "started", container="first")) >= 3
        assert seen.said("init-fails", "started", container="main") == []
        assert seen.status("init-fails")["phase"] == "Pending"
        assert seen.container("init-fails")["state"]["waiting"]["reason"] == "PodInitializing"

    def test_it_fails_the_pod_where_nothing_is_restarted(self, seen):
        assert seen.status("init-fails-for-good")["phase"] == "Failed"
        assert len(seen.said("init-fails-for-good", "started", container="first")) == 1


class TestSidecars:
    def test_it_has_started_before_the_main_container(self, seen):
        [proxy] = seen.said("with-sidecar", "up", container="proxy")
        [main] = seen.said("with-sidecar", "started", container="main")
        assert proxy.at < main.at

    def test_it_is_stopped_once_the_main_container_has_ended(self, seen):
        assert seen.said("with-sidecar", "sigterm", container="proxy")
        assert seen.status("with-sidecar")["phase"] == "Succeeded"
