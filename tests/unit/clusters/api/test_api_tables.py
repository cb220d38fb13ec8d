from datetime import UTC, datetime

import pytest

from seatrial.clusters.local.api import durations
from seatrial.clusters.local.api.kinds import KINDS
from seatrial.clusters.local.api.tables import table

RUNNING = {"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "ready": True, "restartCount": 0}


def status_of(*, deleted=False, init=(), **status):
    metadata = {"name": "web", "creationTimestamp": "2026-01-01T00:00:00Z"}
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:30Z"
    spec = {"containers": [{"name": "web"}], "initContainers": [{"name": name} for name in init]}
    pod = {"metadata": metadata, "spec": spec, "status": status}
    cells = table(KINDS["pods"], [pod], "1")["rows"][0]["cells"]
    return cells[1], cells[2]


def container(**state):
    return {"name": "web", "restartCount": 0, "ready": False, "state": state}


def ended(**state):
    return {"phase": "Failed", "containerStatuses": [container(terminated=state)]}


UP = {"phase": "Running", "containerStatuses": [{"name": "web", **RUNNING}]}
MIGRATING = {"init": ["migrate"], "initContainerStatuses": [{"name": "migrate", "state": {"running": {}}}]}


@pytest.mark.parametrize(
    ("pod", "shown"),
    [
        ({"phase": "Pending"}, ("0/1", "Pending")),
        (UP, ("1/1", "Running")),
        ({**UP, "deleted": True}, ("1/1", "Terminating")),
        ({"containerStatuses": [container(waiting={"reason": "CrashLoopBackOff"})]}, ("0/1", "CrashLoopBackOff")),
        (ended(reason="OOMKilled", exitCode=137), ("0/1", "OOMKilled")),
        (ended(reason="Completed", exitCode=0), ("0/1", "Completed")),
        (ended(exitCode=7), ("0/1", "ExitCode:7")),
        (ended(signal=9, exitCode=137), ("0/1", "Signal:9")),
        ({"phase": "Pending", **MIGRATING}, ("0/1", "Init:0/1")),
        ({"phase": "Failed", "reason": "Evicted"}, ("0/1", "Evicted")),
    ],
)
def test_a_pod_is_summed_up_as_kubectl_does(pod, shown):
    assert shown == status_of(**pod)


def test_every_kind_has_a_table():
    minimal = {"metadata": {"name": "a"}, "spec": {"scaleTargetRef": {"kind": "D", "name": "x"}}}
    odd = {"roleRef": {"kind": "Role", "name": "r"}, "involvedObject": {}}
    for kind in KINDS.values():
        shown = table(kind, [{**minimal, **odd}], "1")
        assert len(shown["columnDefinitions"]) == len(shown["rows"][0]["cells"])


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (150, "2m30s"), (600, "10m"), (10799, "179m"), (10800, "3h"),
     (11700, "3h15m"), (28800, "8h"), (172800, "2d"), (180000, "2d2h"), (691200, "8d"), (63072000, "2y")],
)  # fmt: skip
def test_ages(seconds, shown):
    assert shown == durations.human(seconds)


def test_an_age_needs_a_time():
    assert durations.since(None) == "<unknown>"
    assert durations.since("2026-01-01T00:00:00Z", datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)) == "30s"
