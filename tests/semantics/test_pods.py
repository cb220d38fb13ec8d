"""What a container finds when it runs, and why a pod may not run at all.

Source: Kubernetes, "Define a Command and Arguments for a Container"; "Configure a Security Context for a Pod";
"Container Lifecycle Hooks"; "Determine the Reason for Pod Failure".
"""

import itertools
from dataclasses import dataclass

import pytest
from kubernetes import client, config
from kubernetes.stream import stream

from semantics.kube import Kube, Recording, condition, eventually, is_true, recording
from semantics.workload import LISTENING, Said, Witness, field_env, probe

SLEEP = "time.sleep(600)"
OVER_NOTHING = {
    "maxSkew": 1,
    "topologyKey": "example.com/no-such-label",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app": "uneven"}},
}
LIMITED = {"limits": {"cpu": "1", "memory": "64Mi"}}


def pods(witness: Witness) -> list[dict]:
    never = {"restartPolicy": "Never"}
    two = witness.pod("two", "serve(ready='200')", readinessProbe=probe("ready"))
    two["spec"]["containers"].append(witness.container("sys.exit(0)", name="second"))
    absent = {"kind": "Pod", "metadata": {"name": "absent"}}
    no_such_image = [{"name": "main", "image": "localhost:1/no-such-image:1"}]
    return [
        witness.pod(
            "environment",
            "tell('found', user=os.getuid(), folder=os.getcwd(), host=socket.gethostname(), node=os.environ['NODE'])\n"
            "time.sleep(600)",
            workingDir="/tmp",
            env=field_env(NODE="spec.nodeName"),
            securityContext={"runAsUser": 1234},
        ),
        witness.pod(
            "arguments",
            "tell('found', arguments=sys.argv[1:]); time.sleep(600)",
            args=["$(GREETING)", "$$(GREETING)", "$(NOBODY)"],
            env=[{"name": "GREETING", "value": "good day"}],
        ),
        witness.pod(
            "sealed",
            "def write(path):\n"
            "    try: open(path, 'w')\n"
            "    except OSError as error: return error.strerror\n"
            "    return 'written'\n"
            "tell('found', root=write('/usr/note'), mount=write('/work-dir/note')); time.sleep(600)",
            securityContext={"readOnlyRootFilesystem": True},
            volumeMounts=[{"name": "work", "mountPath": "/work-dir"}],
            spec={"volumes": [{"name": "work", "emptyDir": {}}]},
        ),
        witness.pod("last-words", "open('/dev/termination-log', 'w').write('out of luck'); sys.exit(2)", spec=never),
        witness.pod(
            "last-lines",
            "print('it was the config'); sys.exit(2)",
            spec=never,
            terminationMessagePolicy="FallbackToLogsOnError",
        ),
        witness.pod(
            "chatty", "print('one'); print('two'); time.sleep(0.5); print('three', file=sys.stderr); time.sleep(600)"
        ),
        two,
        witness.pod(
            "after-start",
            SLEEP,
            lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "echo yes > /tmp/started"]}}},
            readinessProbe={"exec": {"command": ["test", "-e", "/tmp/started"]}, "periodSeconds": 1},
        ),
        witness.pod("bad-start", SLEEP, lifecycle={"postStart": {"exec": {"command": ["false"]}}}),
        witness.pod("root", SLEEP, securityContext={"runAsNonRoot": True}),
        witness.pod("nowhere", SLEEP, spec={"nodeSelector": {"kubernetes.io/hostname": "no-such-node"}}),
        witness.pod("too-large", SLEEP, resources={"requests": {"cpu": "1000"}}),
        witness.pod("uneven", SLEEP, spec={"topologySpreadConstraints": [OVER_NOTHING]}),
        witness.pod("claimant", SLEEP, spec={"resourceClaims": [{"name": "a", "resourceClaimTemplateName": "none"}]}),
        witness.pod("another-schedulers", SLEEP, spec={"schedulerName": "volcano"}),
        {**absent, "spec": {"containers": no_such_image}},
        witness.pod(
            "told-to-stop", STOPS_ITSELF, readinessProbe=probe("ready"), livenessProbe=probe("live"), **LISTENING
        ),
        witness.pod(
            "alias",
            "tell('found', ip=socket.gethostbyname('friend.example')); time.sleep(600)",
            spec={"hostAliases": [{"ip": "127.0.0.7", "hostnames": ["friend.example"]}]},
        ),
        witness.pod("in-time", "on_sigterm(0); time.sleep(600)", spec={**never, "activeDeadlineSeconds": 3}),
        witness.pod("sized", SLEEP, resources=LIMITED),
    ]


# Told to stop once it was found ready, though its pod is not deleted, it drains for 5 s: the kubelet does not know.
STOPS_ITSELF = """
on_sigterm(0, 5)
def answers(name):
    for number in range(1000):
        if (name, number) == ("ready", 2):
            os.kill(os.getpid(), signal.SIGTERM)
        yield "200"
serve(ready="ready", live="live")
"""


@dataclass(frozen=True)
class Seen:
    kube: Kube
    witness: Witness
    pods: Recording

    def said(self, pod: str, event: str) -> list[Said]:
        return self.witness.heard(self.kube.namespace, pod, event)

    def found(self, pod: str) -> dict:
        return eventually(lambda: self.said(pod, "found"), within_s=60)[0].more

    def container(self, pod: str) -> dict:
        return (self.kube.get("Pod", pod)["status"].get("containerStatuses") or [{"state": {}}])[0]

    def waiting(self, pod: str) -> str:
        return self.container(pod)["state"].get("waiting", {}).get("reason", "")

    def ended(self, pod: str) -> dict:
        return eventually(lambda: self.container(pod)["state"].get("terminated"), within_s=60)


@pytest.fixture(scope="module")
def seen(kube, witness):
    with recording(kube, "Pod") as watched:
        for pod in pods(witness):
            kube.create(pod)
        seen = Seen(kube, witness, watched)
        eventually(lambda: seen.container("told-to-stop").get("restartCount"), within_s=90)
        yield seen


class TestSurroundings:
    def test_user_folder_host_name_and_node(self, seen):
        found = seen.found("environment")
        assert (found["user"], found["folder"], found["host"]) == (1234, "/tmp", "environment")
        assert found["node"] == seen.kube.get("Pod", "environment")["spec"]["nodeName"]

    def test_variables_in_arguments(self, seen):
        assert seen.found("arguments")["arguments"] == ["good day", "$(GREETING)", "$(NOBODY)"]

    def test_host_aliases(self, seen):
        assert seen.found("alias")["ip"] == "127.0.0.7"

    def test_a_read_only_root_leaves_the_mounts_writable(self, seen):
        found = seen.found("sealed")
        assert (found["root"], found["mount"]) == ("Read-only file system", "written")

    def test_the_status_names_its_addresses(self, seen):
        status = seen.kube.get("Pod", "environment")["status"]
        assert status["podIPs"] == [{"ip": status["podIP"]}]
        assert status["hostIP"]

    def test_limits_alone_make_the_pod_guaranteed(self, seen):
        assert seen.kube.get("Pod", "sized")["status"]["qosClass"] == "Guaranteed"


class TestLastWords:
    def test_of_the_termination_log(self, seen):
        assert seen.ended("last-words")["message"] == "out of luck"

    def test_of_the_log_when_asked_for(self, seen):
        assert seen.ended("last-lines")["message"].strip() == "it was the config"


class TestLogs:
    def test_hold_both_outputs_in_order(self, seen):
        assert eventually(lambda: "three" in seen.kube.log("chatty") and seen.kube.log("chatty")) == "one\ntwo\nthree\n"

    def test_can_be_cut_to_the_last_lines(self, seen):
        assert seen.kube.log("chatty", tailLines="1") == "three\n"

    def test_can_carry_times(self, seen):
        first = seen.kube.log("chatty", timestamps="true").splitlines()[0]
        assert first.endswith("Z one")

    def test_of_several_containers_one_must_be_named(self, seen):
        with pytest.raises(Exception, match="a container name must be specified"):
            seen.kube.log("two")
        assert seen.kube.log("two", container="main") == ""


class TestSeveralContainers:
    def test_a_pod_is_ready_only_when_all_are(self, seen):
        def with_one_ready() -> list[dict]:
            pods = [change.object for change in seen.pods.of("two")]
            return [pod for pod in pods if containers_ready(pod) == [True, False]]

        pod = eventually(with_one_ready, within_s=60)[0]
        assert not is_true(pod, "Ready")
        assert "second" in condition(pod, "ContainersReady")["message"]

    def test_only_the_one_that_ended_is_restarted(self, seen):
        def restarts() -> dict[str, int]:
            statuses = seen.kube.get("Pod", "two")["status"]["containerStatuses"]
            return {status["name"]: status["restartCount"] for status in statuses}

        eventually(lambda: restarts()["second"] >= 1)
        assert restarts()["main"] == 0


class TestPostStart:
    def test_it_runs_in_the_container(self, seen):
        eventually(lambda: is_true(seen.kube.get("Pod", "after-start"), "Ready"), within_s=60)

    def test_its_failure_kills_the_container(self, seen):
        eventually(lambda: seen.kube.events("bad-start", "FailedPostStartHook"), within_s=60)
        eventually(lambda: seen.container("bad-start").get("restartCount"), within_s=60)


class TestToldToStopWithoutDeletion:
    """A signal from elsewhere, such as a node's out-of-memory daemon or a colleague with `kill`."""

    def test_the_kubelet_goes_on_probing(self, seen):
        sigterm = seen.said("told-to-stop", "sigterm")[0].at
        exiting = seen.said("told-to-stop", "exiting")[0].at
        paths = [said.more["path"] for said in seen.said("told-to-stop", "request") if sigterm < said.at < exiting]
        assert {"ready", "live"} <= set(paths)

    def test_the_container_is_started_again_though_it_ended_well(self, seen):
        assert seen.container("told-to-stop")["lastState"]["terminated"]["exitCode"] == 0

    def test_meanwhile_the_pod_is_not_ready(self, seen):
        def readiness() -> list[bool]:
            states = (is_true(change.object, "Ready") for change in seen.pods.of("told-to-stop"))
            return [state for state, _ in itertools.groupby(states)]

        eventually(lambda: readiness()[:3] == [False, True, False])


class TestCannotRun:
    def test_as_root_when_that_is_forbidden(self, seen):
        eventually(lambda: seen.waiting("root") == "CreateContainerConfigError", within_s=60)

    @pytest.mark.parametrize("pod", ["nowhere", "too-large", "uneven"])
    def test_without_a_node_that_suits(self, seen, pod):
        unscheduled = eventually(lambda: condition(seen.kube.get("Pod", pod), "PodScheduled"))
        assert (unscheduled["status"], unscheduled["reason"]) == ("False", "Unschedulable")
        eventually(lambda: seen.kube.events(pod, "FailedScheduling"))

    def test_without_its_image(self, seen):
        eventually(lambda: seen.waiting("absent") in ("ErrImagePull", "ImagePullBackOff"), within_s=60)
        assert seen.kube.get("Pod", "absent")["status"]["phase"] == "Pending"

    @pytest.mark.parametrize("pod", ["claimant", "another-schedulers"])
    def test_waits_for_somebody_who_is_not_there(self, seen, pod):
        eventually(lambda: seen.kube.get("Pod", "too-large")["status"].get("conditions"))
        found = seen.kube.get("Pod", pod)
        assert found["status"]["phase"] == "Pending"
        assert "nodeName" not in found["spec"]

    def test_longer_than_its_deadline(self, seen):
        eventually(lambda: seen.kube.get("Pod", "in-time")["status"].get("reason") == "DeadlineExceeded", within_s=60)
        assert seen.kube.get("Pod", "in-time")["status"]["phase"] == "Failed"


class TestExec:
    def test_a_command_runs_in_the_container(self, seen):
        assert run_in(seen.kube, "after-start", "cat", "/tmp/started") == ("yes\n", 0)

    def test_its_exit_code_is_told(self, seen):
        assert run_in(seen.kube, "after-start", "sh", "-c", "exit 3") == ("", 3)


def containers_ready(pod: dict) -> list[bool]:
    return [status["ready"] for status in pod["status"].get("containerStatuses") or []]


def run_in(kube: Kube, pod: str, *command: str) -> tuple[str, int]:
    """What a command in the pod's container wrote, and how it ended."""
    api = client.CoreV1Api(config.new_client_from_config(str(kube.kubeconfig), context=kube.context))
    how = {"command": list(command), "stdin": False, "stdout": True, "stderr": True, "tty": False}
    done = stream(api.connect_get_namespaced_pod_exec, pod, kube.namespace, _preload_content=False, **how)
    done.run_forever(timeout=20)
    return done.read_stdout(), done.returncode


def test_memory_beyond_the_limit_is_the_end(cluster, kube, witness):
    if cluster.name == "local":
        pytest.skip("the local cluster sets no limits: see docs/local-cluster.md, What it does not do")
    limit = {"limits": {"memory": "48Mi"}}
    kube.create(witness.pod("greedy", "x = b'x' * (256 << 20)", resources=limit, spec={"restartPolicy": "Never"}))

    def ended():
        statuses = kube.get("Pod", "greedy")["status"].get("containerStatuses") or [{"state": {}}]
        return statuses[0]["state"].get("terminated")

    assert eventually(ended, within_s=60)["reason"] == "OOMKilled"
    assert ended()["exitCode"] == 137
