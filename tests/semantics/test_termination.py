"""How pods end: preStop, SIGTERM, SIGKILL at the end of the grace period, exit codes.

Source: Kubernetes, "Pod Lifecycle", termination of pods; "Container Lifecycle Hooks".
"""

import time
from dataclasses import dataclass
from datetime import datetime

import pytest

from semantics.kube import Change, Kube, Recording, eventually, is_true, recording
from semantics.workload import PORT, Said, Witness, probe

SERVE_ON = "serve(ready='200', live='200', pre='200')"
PRESTOP_EXEC = {"exec": {"command": ["python3", "-c", "import time; time.sleep(2)"]}}
PODS = {
    # name: (code, grace period in seconds, more of the container)
    "clean": ("on_sigterm(0, 0.5); time.sleep(600)", 30, {}),
    "seven": ("on_sigterm(7); time.sleep(600)", 30, {}),
    "stubborn": ("on_sigterm(None); time.sleep(600)", 2, {}),
    "handlerless": ("time.sleep(600)", 2, {}),
    "shell": ("", 2, {"command": ["sh", "-c", "sleep 600; exit 0"]}),
    "sleeps-first": ("on_sigterm(0); time.sleep(600)", 30, {"lifecycle": {"preStop": {"sleep": {"seconds": 2}}}}),
    "execs-first": ("on_sigterm(0); time.sleep(600)", 30, {"lifecycle": {"preStop": PRESTOP_EXEC}}),
    "asks-first": (
        f"on_sigterm(0); {SERVE_ON}",
        30,
        {"lifecycle": {"preStop": {"httpGet": {"path": "/pre", "port": PORT}}}},
    ),
    "prestop-within-grace": (
        "on_sigterm(None); time.sleep(600)",
        12,
        {"lifecycle": {"preStop": {"sleep": {"seconds": 8}}}},
    ),
    "prestop-beyond-grace": (
        "on_sigterm(None)\nwhile not os.path.exists('/tmp/hook'): time.sleep(0.05)\ntell('hook'); time.sleep(600)",
        2,
        {"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "touch /tmp/hook; exec sleep 30"]}}}},
    ),
    "probed": (
        f"on_sigterm(0, 5); {SERVE_ON}",
        30,
        {"readinessProbe": probe("ready"), "livenessProbe": probe("live")},
    ),
    "forced": ("on_sigterm(None); time.sleep(600)", 30, {}),
}


@dataclass(frozen=True)
class Seen:
    """All pods of PODS, started, then deleted at once, and watched until they are gone."""

    kube: Kube
    witness: Witness
    pods: Recording
    deleted_at: dict[str, float]
    answered_at: dict[str, float]  # when the API server had taken the deletion

    def said(self, pod: str, event: str = "") -> list[Said]:
        return self.witness.heard(self.kube.namespace, pod, event)

    def sigterm_after_s(self, pod: str) -> float:
        [sigterm] = self.said(pod, "sigterm")
        return sigterm.at - self.deleted_at[pod]

    def gone(self, pod: str) -> Change:
        return next(change for change in self.pods.of(pod) if change.type == "DELETED")

    def gone_after_s(self, pod: str) -> float:
        return self.gone(pod).at - self.deleted_at[pod]

    def ended(self, pod: str) -> dict:
        return state(self.gone(pod))["terminated"]

    def exit_code(self, pod: str) -> int:
        return int(self.ended(pod)["exitCode"])


@pytest.fixture(scope="module")
def seen(kube, witness):
    with recording(kube, "Pod") as pods:
        for name, (code, grace_s, more) in PODS.items():
            kube.create(witness.pod(name, code, spec={"terminationGracePeriodSeconds": grace_s}, **more))
        for name in PODS:
            eventually(lambda name=name: is_true(kube.get("Pod", name), "Ready"), within_s=60)
            if name != "shell":
                assert eventually(lambda name=name: witness.heard(kube.namespace, name, "started"))
        for name in ("asks-first", "probed"):
            assert eventually(lambda name=name: witness.heard(kube.namespace, name, "listening"))
        time.sleep(1)  # so that handlers are set
        deleted_at, answered_at = {}, {}
        for name in PODS:
            deleted_at[name] = time.time()
            kube.delete("Pod", name, **({"gracePeriodSeconds": 0} if name == "forced" else {}))
            answered_at[name] = time.time()
        for name in PODS:
            eventually(lambda name=name: any(change.type == "DELETED" for change in pods.of(name)), within_s=40)
        yield Seen(kube, witness, pods, deleted_at, answered_at)


class TestExitCodes:
    def test_a_handler_decides_its_own_exit_code(self, seen):
        assert (seen.exit_code("clean"), seen.exit_code("seven")) == (0, 7)

    def test_who_ignores_sigterm_is_killed_with_137(self, seen):
        assert seen.exit_code("stubborn") == 137

    def test_the_first_process_without_a_handler_does_not_hear_sigterm(self, seen):
        assert seen.exit_code("handlerless") == 137

    def test_a_shell_in_front_swallows_sigterm(self, seen):
        assert seen.exit_code("shell") == 137

    def test_the_phase_tells_success_from_failure(self, seen):
        assert seen.gone("clean").object["status"]["phase"] == "Succeeded"
        assert seen.gone("seven").object["status"]["phase"] == "Failed"


class TestGracePeriod:
    def test_a_pod_is_gone_as_soon_as_it_has_ended(self, seen):
        assert 0.5 <= seen.gone_after_s("clean") < 30

    @pytest.mark.parametrize("pod", ["stubborn", "handlerless", "shell"])
    def test_sigkill_comes_at_its_end_and_not_before(self, seen, pod):
        assert seen.gone_after_s(pod) >= 2.0

    def test_the_deletion_timestamp_lies_at_its_end(self, seen):
        pod = next(
            change.object for change in seen.pods.of("clean") if "deletionTimestamp" in change.object["metadata"]
        )
        ends_at = datetime.fromisoformat(pod["metadata"]["deletionTimestamp"]).timestamp()
        assert pod["metadata"]["deletionGracePeriodSeconds"] == 30
        assert int(seen.deleted_at["clean"]) <= ends_at - 30 <= seen.answered_at["clean"]  # in whole seconds

    def test_with_zero_the_object_is_gone_while_its_container_runs(self, seen):
        assert "running" in state(seen.gone("forced"))


class TestPreStop:
    @pytest.mark.parametrize("pod", ["sleeps-first", "execs-first"])
    def test_sigterm_waits_for_it(self, seen, pod):
        assert seen.sigterm_after_s(pod) >= 2.0
        assert seen.exit_code(pod) == 0

    def test_it_may_be_a_request(self, seen):
        asked = [request for request in seen.said("asks-first", "request") if request.more["path"] == "pre"]
        assert len(asked) == 1
        assert asked[0].at < seen.said("asks-first", "sigterm")[0].at

    def test_the_grace_period_covers_it(self, seen):
        pod = "prestop-within-grace"
        assert seen.sigterm_after_s(pod) >= 8.0
        assert seen.gone_after_s(pod) >= 12.0
        # Killed with the 4 s that were left, not 12 s after SIGTERM.
        [sigterm] = seen.said(pod, "sigterm")
        assert datetime.fromisoformat(seen.ended(pod)["finishedAt"]).timestamp() - sigterm.at < 10

    def test_when_it_outlasts_the_grace_period_sigterm_comes_then_and_2_s_are_added(self, seen):
        pod = "prestop-beyond-grace"
        [hook], [sigterm] = seen.said(pod, "hook"), seen.said(pod, "sigterm")
        assert seen.sigterm_after_s(pod) >= 2.0
        assert sigterm.at - hook.at < 4.0
        assert seen.gone_after_s(pod) >= 4.0
        assert seen.exit_code(pod) == 137


class TestProbesWhileTerminating:
    def test_readiness_goes_on_and_liveness_stops(self, seen):
        sigterm = seen.said("probed", "sigterm")[0].at
        after = [request.more["path"] for request in seen.said("probed", "request") if request.at > sigterm + 1]
        assert after.count("ready") >= 2
        assert after.count("live") == 0


class TestOrder:
    @pytest.mark.parametrize("pod", ["clean", "seven", "stubborn"])
    def test_the_end_of_the_container_is_seen_before_the_pod_is_gone(self, seen, pod):
        gone = seen.pods.of(pod).index(seen.gone(pod))
        assert any("terminated" in state(change) for change in seen.pods.of(pod)[:gone])

    def test_deletion_is_marked_before_sigterm_takes_effect(self, seen):
        # It drains for 5 s, so that a watch that is told late is still told before.
        marked = next(change.at for change in seen.pods.of("probed") if is_marked(change))
        assert marked < seen.said("probed", "exiting")[0].at


def state(change: Change) -> dict:
    """Of the pod's one container; empty before the kubelet took the pod."""
    statuses = change.object["status"].get("containerStatuses") or [{"state": {}}]
    return statuses[0]["state"]


def is_marked(change: Change) -> bool:
    return "deletionTimestamp" in change.object["metadata"]
