"""Jobs: completion, back-off limit, deadline, and being cleaned up.

Source: Kubernetes, "Jobs"; "Automatic Cleanup for Finished Jobs".
"""

import pytest

from semantics.kube import Kube, condition, eventually, is_true
from semantics.workload import Witness


def job(witness: Witness, name: str, code: str, *, restart: str = "Never", **spec) -> dict:
    container = witness.container(code)
    return {
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {**spec, "template": {"spec": {"restartPolicy": restart, "containers": [container]}}},
    }


def pods_of(kube: Kube, name: str) -> list[dict]:
    return kube.all("Pod", labelSelector=f"job-name={name}")


@pytest.fixture(scope="module")
def done(kube, witness):
    """All jobs, created together, once each is finished."""
    wanted = [
        job(witness, "succeeds", "time.sleep(0.5)"),
        job(witness, "fails", "sys.exit(1)", backoffLimit=1),
        job(witness, "no-retry", "sys.exit(1)", backoffLimit=0),
        job(witness, "in-place", "sys.exit(1)", restart="OnFailure", backoffLimit=1),
        job(witness, "too-late", "on_sigterm(0); time.sleep(600)", activeDeadlineSeconds=2),
        job(witness, "three", "time.sleep(0.5)", completions=3, parallelism=2),
        job(witness, "forgotten", "pass", ttlSecondsAfterFinished=2),
    ]
    for one in wanted:
        kube.create(one)
    for name in ("succeeds", "fails", "no-retry", "in-place", "too-late", "three"):
        eventually(lambda name=name: finished(kube.get("Job", name)), within_s=90)
    return kube


def finished(found: dict) -> bool:
    return is_true(found, "Complete") or is_true(found, "Failed")


def test_a_job_is_complete_when_its_pod_succeeded(done):
    found = done.get("Job", "succeeds")
    assert is_true(found, "Complete")
    assert is_true(found, "SuccessCriteriaMet")
    assert found["status"]["succeeded"] == 1
    assert "completionTime" in found["status"]


def test_its_pod_is_kept(done):
    [pod] = pods_of(done, "succeeds")
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "Job"


def test_a_failing_pod_is_replaced_as_often_as_the_back_off_limit_says(done):
    found = done.get("Job", "fails")
    assert condition(found, "Failed")["reason"] == "BackoffLimitExceeded"
    assert found["status"]["failed"] == 2 == len(pods_of(done, "fails"))


def test_the_retry_waits_ten_seconds(done, witness):
    names = [pod["metadata"]["name"] for pod in pods_of(done, "fails")]
    first, second = sorted(said.at for name in names for said in witness.heard(done.namespace, name, "started"))
    assert second - first >= 9


def test_a_limit_of_zero_allows_one_attempt(done):
    assert condition(done.get("Job", "no-retry"), "Failed")["reason"] == "BackoffLimitExceeded"
    assert len(pods_of(done, "no-retry")) == 1


def test_on_failure_restarts_in_the_same_pod_and_still_gives_up(done):
    assert condition(done.get("Job", "in-place"), "Failed")["reason"] == "BackoffLimitExceeded"
    assert len(pods_of(done, "in-place")) <= 1


def test_a_job_past_its_deadline_fails_and_its_pods_go(done):
    assert condition(done.get("Job", "too-late"), "Failed")["reason"] == "DeadlineExceeded"
    eventually(lambda: not pods_of(done, "too-late"))


def test_completions_are_counted_and_parallelism_is_not_exceeded(done):
    assert done.get("Job", "three")["status"]["succeeded"] == 3
    assert len(pods_of(done, "three")) == 3
    spans = sorted(lifetime(pod) for pod in pods_of(done, "three"))
    assert spans[2][0] >= min(spans[0][1], spans[1][1])


def test_a_finished_job_goes_with_its_pods_after_its_time_to_live(done):
    eventually(lambda: done.find("Job", "forgotten") is None, within_s=30)
    eventually(lambda: not pods_of(done, "forgotten"))


def test_deleting_a_job_in_the_background_deletes_its_pods(done):
    done.delete("Job", "no-retry", propagationPolicy="Background")
    eventually(lambda: not pods_of(done, "no-retry"))


def lifetime(pod: dict) -> tuple[str, str]:
    """When its container started and ended, as the kubelet wrote it: in whole seconds, which sort as text."""
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    return ended["startedAt"], ended["finishedAt"]
