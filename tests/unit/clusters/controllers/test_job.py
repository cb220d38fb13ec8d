"""Jobs run pods until enough succeeded or too many failed."""

import pytest
from control_plane import condition, later, template

from seatrial.clusters.local.controllers.job_progress import Finished, backoff_s, ranges

NOW_S = 1_800_000_000.0


def job_spec(**spec):
    return {"parallelism": 1, "completions": 1, "backoffLimit": 6, "template": template(restartPolicy="Never"), **spec}


async def finish(plane, phase="Succeeded"):
    active = [pod for pod in plane.pods() if pod["status"]["phase"] == "Running"]
    plane.end_pod(active[0]["metadata"]["name"], phase)
    await plane.settle()


async def test_a_job_is_complete_when_its_pod_succeeded(plane):
    plane.create("jobs", "migrate", job_spec())
    await plane.settle()
    status = plane.status("jobs", "migrate")
    assert (status["active"], status["ready"], status.get("succeeded")) == (1, 1, None)
    assert status["startTime"]
    await finish(plane)
    status = plane.status("jobs", "migrate")
    assert (status.get("active"), status["succeeded"]) == (None, 1)
    assert condition(status, "SuccessCriteriaMet") == condition(status, "Complete") == ("True", "CompletionsReached")
    assert status["completionTime"]


async def test_parallelism_and_completions_bound_the_pods(plane):
    plane.create("jobs", "migrate", job_spec(parallelism=2, completions=3))
    await plane.settle()
    assert plane.status("jobs", "migrate")["active"] == 2
    await finish(plane)
    assert plane.status("jobs", "migrate")["active"] == 2
    await finish(plane)
    assert plane.status("jobs", "migrate")["active"] == 1
    await finish(plane)
    assert condition(plane.get("jobs", "migrate"), "Complete") == ("True", "CompletionsReached")


async def test_one_failure_beyond_the_backoff_limit_fails_the_job(plane):
    plane.create("jobs", "migrate", job_spec(backoffLimit=0))
    await plane.settle()
    await finish(plane, "Failed")
    status = plane.status("jobs", "migrate")
    assert condition(status, "FailureTarget") == condition(status, "Failed") == ("True", "BackoffLimitExceeded")
    assert status["failed"] == 1
    assert "completionTime" not in status


async def test_a_failed_pod_is_not_replaced_before_its_backoff(plane):
    plane.create("jobs", "migrate", job_spec())
    await plane.settle()
    await finish(plane, "Failed")
    status = plane.status("jobs", "migrate")
    assert (status.get("active"), status["failed"], len(plane.pods())) == (None, 1, 1)


@pytest.mark.parametrize(("failures", "wait_s"), [(0, 0), (1, 10), (2, 20), (3, 40), (6, 320), (9, 600)])
def test_the_backoff_doubles_from_ten_seconds(failures, wait_s):
    finished = Finished(failed={str(number): NOW_S for number in range(failures)})
    assert backoff_s(finished, NOW_S) == wait_s


async def test_restarts_in_place_count_against_the_limit_with_on_failure(plane):
    plane.create("jobs", "migrate", job_spec(backoffLimit=2, template=template(restartPolicy="OnFailure")))
    await plane.settle()
    (name,) = plane.names("pods")
    plane.set_pod(name, lambda status: None, containerStatuses=[{"name": "server", "restartCount": 2}])
    await plane.settle()
    assert condition(plane.get("jobs", "migrate"), "Failed") == ("True", "BackoffLimitExceeded")


async def test_a_job_past_its_deadline_is_failed_and_its_pods_deleted(plane):
    plane.create("jobs", "migrate", job_spec(activeDeadlineSeconds=1))
    await later(lambda: condition(plane.get("jobs", "migrate"), "Failed") == ("True", "DeadlineExceeded"))
    assert plane.names("pods") == []


async def test_the_end_is_announced_while_the_last_pods_still_terminate(plane):
    plane.create("jobs", "migrate", job_spec(parallelism=2, completions=2, backoffLimit=0))
    await plane.settle()
    plane.pods_end = False
    await finish(plane, "Failed")
    status = plane.status("jobs", "migrate")
    assert condition(status, "FailureTarget") == ("True", "BackoffLimitExceeded")
    assert condition(status, "Failed") is None
    assert status["terminating"] == 1
    plane.end_pod(next(pod["metadata"]["name"] for pod in plane.pods() if "deletionTimestamp" in pod["metadata"]))
    await plane.settle()
    assert condition(plane.get("jobs", "migrate"), "Failed") == ("True", "BackoffLimitExceeded")


async def test_a_suspended_job_has_no_pods_until_it_is_resumed(plane):
    plane.create("jobs", "migrate", job_spec(suspend=True))
    await plane.settle()
    assert condition(plane.get("jobs", "migrate"), "Suspended") == ("True", "JobSuspended")
    assert plane.names("pods") == []
    plane.change("jobs", "migrate", suspend=False)
    await plane.settle()
    assert condition(plane.get("jobs", "migrate"), "Suspended") == ("False", "JobResumed")
    assert len(plane.pods()) == 1


async def test_a_finished_job_goes_after_its_time_to_live(plane):
    plane.create("jobs", "migrate", job_spec(ttlSecondsAfterFinished=0))
    await plane.settle()
    await finish(plane)
    assert plane.names("jobs") == plane.names("pods") == []


async def test_an_indexed_job_runs_every_index_once(plane):
    plane.create("jobs", "shards", job_spec(parallelism=2, completions=3, completionMode="Indexed"))
    await plane.settle()
    for _ in range(3):
        await finish(plane)
    status = plane.status("jobs", "shards")
    assert (status["succeeded"], status["completedIndexes"]) == (3, "0-2")
    pod = plane.pods()[0]
    assert {"name": "JOB_COMPLETION_INDEX", "value": "0"} in pod["spec"]["containers"][0]["env"]


@pytest.mark.parametrize(("indexes", "text"), [([], ""), ([0], "0"), ([0, 1, 2, 5], "0-2,5"), ([1, 3], "1,3")])
def test_completed_indexes_are_ranges(indexes, text):
    assert ranges(indexes) == text
