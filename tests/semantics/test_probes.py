"""Probes: when they begin, what counts as success, and what failures lead to.

Source: Kubernetes, "Liveness, Readiness and Startup Probes".
"""

from dataclasses import dataclass
from datetime import datetime

import pytest

from semantics.kube import Kube, Recording, eventually, is_true, recording
from semantics.workload import LISTENING, Said, Witness, probe

# Its startup probe waits in the container until the program can hear SIGTERM, and then fails.
FAILS_TO_START = """
def end(*_):
    tell("sigterm", failures=os.path.getsize("/tmp/failures"))
    os._exit(0)
signal.signal(signal.SIGTERM, end)
open("/tmp/hears", "w")
time.sleep(600)
"""
FAILURE = "until test -e /tmp/hears; do sleep 0.1; done; printf x >> /tmp/failures; false"
PODS = {
    "plain": ("time.sleep(600)", {}),
    "healthy": (
        "serve(ready='200', live='200')",
        {**LISTENING, "readinessProbe": probe("ready"), "livenessProbe": probe("live")},
    ),
    "late": ("serve(ready='503x3 200')", {"readinessProbe": probe("ready")}),
    "flaky": ("serve(ready='200x2 503x2 200')", {"readinessProbe": probe("ready", failureThreshold=3)}),
    "outage": (
        "serve(ready='200x2 503x5 200', live='200')",
        {
            **LISTENING,
            "readinessProbe": probe("ready", failureThreshold=3, successThreshold=2),
            "livenessProbe": probe("live"),
        },
    ),
    "dead": (
        "on_sigterm(7); serve(live='200x2 500')",
        {**LISTENING, "livenessProbe": probe("live", failureThreshold=3)},
    ),
    "deaf": (
        "on_sigterm(None); serve(live='500')",
        {**LISTENING, "livenessProbe": probe("live", failureThreshold=1, terminationGracePeriodSeconds=1)},
    ),
    "starting": (
        "serve(start='503x3 200', ready='200', live='200')",
        {
            "startupProbe": probe("start", failureThreshold=30),
            "readinessProbe": probe("ready"),
            "livenessProbe": probe("live"),
        },
    ),
    "never-started": (
        FAILS_TO_START,
        {
            "startupProbe": {
                "exec": {"command": ["sh", "-c", FAILURE]},
                "periodSeconds": 1,
                "timeoutSeconds": 60,
                "failureThreshold": 2,
            }
        },
    ),
    "delayed": ("serve(ready='200')", {"readinessProbe": probe("ready", initialDelaySeconds=3)}),
    "slow": ("serve(ready='hang')", {"readinessProbe": probe("ready", timeoutSeconds=1)}),
    "away": ("serve(ready='away')", {"readinessProbe": probe("ready")}),
    "around": ("serve(ready='around')", {"readinessProbe": probe("ready")}),
    "limit": ("serve(ready='399')", {"readinessProbe": probe("ready")}),
    "beyond": ("serve(ready='400')", {"readinessProbe": probe("ready")}),
    "tcp": (
        "time.sleep(2); tell('opening'); serve()",
        {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}},
    ),
    "exec": (
        "time.sleep(2); open('/tmp/is-ready', 'w'); serve()",
        {"readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/is-ready"]}, "periodSeconds": 1}},
    ),
}
NEVER_READY = ("slow", "around", "beyond", "never-started")


@dataclass(frozen=True)
class Seen:
    """All pods of PODS, started together and watched until each has shown what it is for."""

    kube: Kube
    witness: Witness
    pods: Recording

    def said(self, pod: str, event: str = "") -> list[Said]:
        return self.witness.heard(self.kube.namespace, pod, event)

    def probes(self, pod: str, path: str) -> list[Said]:
        return [request for request in self.said(pod, "request") if request.more["path"] == path]

    def readiness(self, pod: str) -> list[bool]:
        """The Ready condition as it changed."""
        states = [is_true(change.object, "Ready") for change in self.pods.of(pod)]
        return [state for before, state in zip([None, *states], states, strict=False) if state is not before]

    def ready_at(self, pod: str) -> float:
        return next(change.at for change in self.pods.of(pod) if is_true(change.object, "Ready"))

    def container(self, pod: str) -> dict:
        return self.kube.get("Pod", pod)["status"]["containerStatuses"][0]


@pytest.fixture(scope="module")
def seen(kube, witness):
    with recording(kube, "Pod") as pods:
        for name, (code, probes) in PODS.items():
            kube.create(witness.pod(name, code, **probes))
        seen = Seen(kube, witness, pods)
        eventually(lambda: seen.readiness("outage") == [False, True, False, True], within_s=60)
        eventually(lambda: all(seen.container(pod)["restartCount"] for pod in ("dead", "deaf", "never-started")))
        for pod in set(PODS) - {*NEVER_READY, "dead", "deaf"}:
            eventually(lambda pod=pod: any(seen.readiness(pod)))
        yield seen


def test_a_probe_says_who_it_is(seen):
    assert all(request.more["agent"].startswith("kube-probe/") for request in seen.probes("healthy", "ready"))


def test_each_probe_is_a_connection_of_its_own(seen):
    ports = [request.more["port"] for request in seen.probes("healthy", "live")]
    assert len(ports) == len(set(ports)) >= 3


def test_a_healthy_pod_becomes_ready_once_and_stays(seen):
    assert seen.readiness("healthy") == [False, True]
    assert seen.container("healthy")["restartCount"] == 0


def test_ready_follows_the_first_success(seen):
    answers = seen.probes("late", "ready")
    assert [answer.more["status"] for answer in answers[:4]] == ["503", "503", "503", "200"]
    assert answers[3].at < seen.ready_at("late")


def test_a_pod_without_a_readiness_probe_is_ready_once_it_runs(seen):
    assert seen.readiness("plain") == [False, True]


class TestFailureThreshold:
    def test_fewer_failures_than_the_threshold_change_nothing(self, seen):
        eventually(lambda: len(seen.probes("flaky", "ready")) >= 6)
        assert [answer.more["status"] for answer in seen.probes("flaky", "ready")[2:5]] == ["503", "503", "200"]
        assert seen.readiness("flaky") == [False, True]

    def test_as_many_failures_as_the_threshold_make_it_unready(self, seen):
        gone = [change.at for change in seen.pods.of("outage") if not is_true(change.object, "Ready")][-1]
        failures = [answer.at for answer in seen.probes("outage", "ready") if answer.more["status"] == "503"]
        assert failures[2] < gone

    def test_unready_is_no_reason_to_restart(self, seen):
        assert seen.container("outage")["restartCount"] == 0

    def test_ready_again_takes_as_many_successes_as_the_threshold(self, seen):
        back = [change.at for change in seen.pods.of("outage") if is_true(change.object, "Ready")][-1]
        answers = seen.probes("outage", "ready")
        last_failure = max(answer.at for answer in answers if answer.more["status"] == "503")
        assert len([answer for answer in answers if last_failure < answer.at < back]) >= 2


class TestLiveness:
    def test_the_container_is_stopped_after_as_many_failures_as_the_threshold(self, seen):
        stopped = seen.said("dead", "sigterm")[0].at
        before = [answer.more["status"] for answer in seen.probes("dead", "live") if answer.at < stopped]
        assert before == ["200", "200", "500", "500", "500"]

    def test_it_is_asked_to_stop_and_its_exit_code_is_kept(self, seen):
        assert eventually(lambda: seen.container("dead")["lastState"]["terminated"])["exitCode"] == 7

    def test_events_tell_the_failures_and_the_kill(self, seen):
        def told(reason: str, words: str) -> bool:
            return any(words in event["message"] for event in seen.kube.events("dead", reason))

        eventually(lambda: told("Unhealthy", "Liveness probe failed"))
        eventually(lambda: told("Killing", "failed liveness probe"))

    def test_a_probe_may_have_a_grace_period_of_its_own(self, seen):
        assert seen.container("deaf")["lastState"]["terminated"]["exitCode"] == 137
        assert seen.said("deaf", "sigterm")
        # SIGTERM comes after the failure; its handler may run late.
        failed = seen.probes("deaf", "live")[0].at
        again = eventually(lambda: [start.at for start in seen.said("deaf", "started") if start.at > failed])
        assert again[0] - failed >= 1.0


class TestStartup:
    def test_other_probes_wait_for_the_startup_probe(self, seen):
        started = next(answer.at for answer in seen.probes("starting", "start") if answer.more["status"] == "200")
        others = [*seen.probes("starting", "ready"), *seen.probes("starting", "live")]
        assert started < min(answer.at for answer in others)

    def test_it_is_not_asked_again_once_it_succeeded(self, seen):
        assert [answer.more["status"] for answer in seen.probes("starting", "start")] == ["503", "503", "503", "200"]

    def test_a_container_that_never_starts_is_restarted_at_the_threshold(self, seen):
        assert seen.said("never-started", "sigterm")[0].more["failures"] == 2

    def test_the_container_counts_as_started_only_then(self, seen):
        first = [
            change.object["status"]["containerStatuses"][0]
            for change in seen.pods.of("starting")
            if change.object["status"].get("containerStatuses")
        ]
        running = [status for status in first if "running" in status["state"]]
        assert not running[0]["started"]
        assert running[-1]["started"]


def test_the_first_probe_waits_for_the_initial_delay(seen):
    # The delay counts from the container's start, which may be long before its program's first words.
    started = seen.container("delayed")["state"]["running"]["startedAt"]
    assert seen.probes("delayed", "ready")[0].at - datetime.fromisoformat(started).timestamp() >= 3


class TestSuccess:
    def test_an_answer_after_the_timeout_is_a_failure(self, seen):
        eventually(lambda: len(seen.probes("slow", "ready")) >= 2)
        assert seen.readiness("slow") == [False]

    def test_399_is_a_success_and_400_a_failure(self, seen):
        assert seen.readiness("limit") == [False, True]
        assert seen.readiness("beyond") == [False]

    def test_a_redirect_to_another_host_is_a_success_with_a_warning(self, seen):
        assert seen.readiness("away") == [False, True]
        eventually(lambda: seen.kube.events("away", "ProbeWarning"))

    def test_a_redirect_on_the_same_host_is_followed(self, seen):
        eventually(lambda: {request.more["path"] for request in seen.said("around", "request")} == {"ready", "other"})
        assert seen.readiness("around") == [False]

    def test_a_tcp_probe_succeeds_when_the_port_is_open(self, seen):
        assert seen.said("tcp", "opening")[0].at < seen.ready_at("tcp")

    def test_an_exec_probe_succeeds_when_its_command_does(self, seen):
        assert seen.ready_at("exec") - seen.said("exec", "started")[0].at >= 2.0


def restarts(witness: Witness, kube: Kube, pod: str) -> list[tuple[float, float]]:
    """Of every restart that is over: seconds from the stop before to the stop, and from the stop to the start."""
    stopped, started = (
        [one.at for one in witness.heard(kube.namespace, pod, event)] for event in ("sigterm", "started")
    )
    return [
        (stop - before, start - stop)
        for before, stop, start in zip([*started[:1], *stopped], stopped, started[1:], strict=False)
    ]


def test_restarts_after_failed_liveness_wait_from_the_third_on(kube, witness):
    """The back-off counts from the end of the container before the one that was just stopped.

    Where that is longer ago than the back-off, as when the containers live long, the next starts at once.
    """
    again = probe("live", failureThreshold=1)
    for name, successes in (("doomed", 1), ("lasting", 13)):
        answers = f"200x{successes} 500"
        kube.create(witness.pod(name, f"on_sigterm(0); serve(live='{answers}')", livenessProbe=again, **LISTENING))
    eventually(lambda: len(restarts(witness, kube, "doomed")) >= 4, within_s=100, every_s=0.5)
    eventually(lambda: len(restarts(witness, kube, "lasting")) >= 3, within_s=60, every_s=0.5)

    doomed, lasting = (restarts(witness, kube, name) for name in ("doomed", "lasting"))
    assert max(waited for _, waited in doomed[:2]) < 9
    assert 9 <= doomed[2][1] < 19
    since_the_stop_before, waited = doomed[3]  # 20 s and more, if that start was late
    assert 19 <= waited < 39 if since_the_stop_before < 19 else waited < 9 or since_the_stop_before < 21
    assert min(since for since, _ in lasting[1:3]) > 11
    assert max(waited for _, waited in lasting[:3]) < 9
