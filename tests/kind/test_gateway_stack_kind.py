"""One workload among others is judged by its own pods: a database that is killed beside it is none of its doing."""

from pathlib import Path

import pytest

from seatrial.cli._progress import Silence
from seatrial.clusters.kind import KindCluster
from seatrial.clusters.local.cluster import LocalCluster
from seatrial.content import content
from seatrial.errors import ClusterError
from seatrial.record import RunRecord
from seatrial.suite.certify import certify
from seatrial.suite.registry import load_checks, selected
from seatrial.suite.subject import read_subject
from seatrial.watch.api import Api
from tests.helpers.gateway_stack import gateway_stack
from tests.helpers.pod_killer import PodKiller

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1500)]

KILLED_AT_S = (45.0, 75.0)  # after the trial's namespace was made: under the closed loop, and in the overload


@pytest.fixture(params=[LocalCluster, KindCluster], ids=["local", "kind"])
def cluster(request):
    made = request.param()
    try:
        made.up()
    except ClusterError as error:
        pytest.skip(f"no cluster: {error}")
    yield made
    made.down()


def test_a_database_that_is_killed_in_the_overload_is_not_held_against_the_gateway(cluster, tmp_path):
    subject = read_subject(gateway_stack(tmp_path))
    checks = selected(load_checks(content("conformance")), ["P5", "D8"])
    api = Api.connect(cluster.kubeconfig(), cluster.context)
    with PodKiller(api, "overload", "app=database", KILLED_AT_S) as killer:
        result = certify(subject, cluster, checks, Silence(), runs=tmp_path / "runs", seed=1, lanes=2)
    record = RunRecord.open(Path(result.record))
    killed = killer.killed[record.raw_observation("overload")["namespace"]]
    gone = {change.name for change in record.timeline("overload").of("Pod") if change.type == "DELETED"}
    assert len(killed) >= len(KILLED_AT_S)
    assert set(killed) <= gone
    found = {id: (verdict.outcome, verdict.found) for id, verdict in result.verdicts.items()}
    assert {id: outcome for id, (outcome, _) in found.items()} == {"P5": "pass", "D8": "pass"}, found
