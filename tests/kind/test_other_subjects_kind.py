"""A StatefulSet, and pods that a program makes at run time, on a real cluster: found by owners, and by labels."""

from pathlib import Path

import pytest

from seatrial.cli._progress import Silence
from seatrial.clusters.kind import KindCluster
from seatrial.content import content
from seatrial.observation import Observation
from seatrial.record import RunRecord
from seatrial.suite.certify import certify
from seatrial.suite.registry import load_checks, selected
from seatrial.suite.subject import read_subject
from seatrial.trials.install import Install
from seatrial.trials.pod_deletion import PodDeletion
from seatrial.watch.api import Api
from seatrial.watch.ownership import bystanders, pods_of
from tests.helpers.other_subjects import made_at_run_time, stateful_set
from tests.helpers.pod_killer import PodKiller

pytestmark = [pytest.mark.kind, pytest.mark.timeout(600)]

CHECKS = ["P1", "P11", "D8"]
KILLED_AT_S = (25.0, 45.0)  # after the namespace of the deletions was made


def certified(chart: Path, cluster: KindCluster, runs: Path) -> tuple[Install, PodDeletion, list[str]]:
    """What both trials saw of a chart that passed, and the neighbour's pods that were killed in the second."""
    checks = selected(load_checks(content("conformance")), CHECKS)
    with PodKiller(Api.connect(cluster.kubeconfig(), cluster.context), "drain", "app=neighbour", KILLED_AT_S) as killer:
        result = certify(read_subject(chart), cluster, checks, Silence(), runs=runs, seed=1, lanes=2)
    found = {id: (verdict.outcome, verdict.found) for id, verdict in result.verdicts.items()}
    assert {id: outcome for id, (outcome, _) in found.items()} == dict.fromkeys(CHECKS, "pass"), found
    record = RunRecord.open(Path(result.record))
    deletion = record.observation("pod-deletion", PodDeletion)
    return record.observation("install", Install), deletion, killer.killed[deletion.namespace]


def assert_own(seen: Observation, count: int) -> set[str]:
    """The neighbour's pods, which are bystanders; the subject's are `count` and no others."""
    changes = seen.timeline.changes
    own, others = pods_of(changes, seen.subject), bystanders(changes, seen.subject)
    assert own == {pod.name for pod in seen.pods}
    assert len({change.object["metadata"]["uid"] for change in seen.timeline.of("Pod") if change.name in own}) == count
    return {pod for pod, owner in others.items() if owner.endswith("neighbour")}


def test_a_stateful_set_whose_pods_keep_their_names(cluster, tmp_path):
    install, deletion, killed = certified(stateful_set(tmp_path), cluster, tmp_path / "runs")
    assert len(assert_own(install, 3)) == 1
    assert sorted(start.pod for start in install.starts) == ["subject-0", "subject-0", "subject-1", "subject-2"]
    # Two pods, one in the place of each of three, one more replica, and what took its place.
    assert len(killed) == len(KILLED_AT_S)
    assert set(killed) < assert_own(deletion, 7)
    assert [round.victim for round in deletion.rounds] == ["subject-0", "subject-1", "subject-0", "subject-2"]
    for round in deletion.rounds:
        assert round.deleted_s < round.drain_sign_s < round.gone_s
        assert [end.exit_code for end in deletion.exits(round)] == [0]


def test_pods_that_are_made_at_run_time(cluster, tmp_path):
    install, deletion, killed = certified(made_at_run_time(tmp_path), cluster, tmp_path / "runs")
    assert len(assert_own(install, 3)) == 1
    assert [start.pod.startswith("engine-") for start in install.starts] == 4 * [True]
    assert [start.restart for start in install.starts] == [0, 0, 0, 1]
    assert len(killed) == len(KILLED_AT_S)
    assert set(killed) < assert_own(deletion, 7)
    assert len({round.victim for round in deletion.rounds}) == len(deletion.rounds)
    assert {pod for pod in bystanders(deletion.timeline.changes, deletion.subject) if pod.startswith("maker-")}
    for round in deletion.rounds:
        assert [end.exit_code for end in deletion.exits(round)] == [0]
