"""One workload among others is judged by its own pods: a database that is killed beside it is none of its doing."""

import threading
import time
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
from seatrial.trials.context import RUN_LABEL
from seatrial.watch.api import Api
from tests.helpers.gateway_stack import gateway_stack

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

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


class DatabaseKiller(threading.Thread):
    """Deletes the database's pod in the namespace of a trial, at each of KILLED_AT_S."""

    def __init__(self, api: Api, trial: str) -> None:
        super().__init__(daemon=True)
        self._api, self._trial = api, trial
        self.killed: list[str] = []

    def run(self) -> None:
        namespace = self._namespace()
        made = time.monotonic()
        for at_s in KILLED_AT_S:
            time.sleep(max(0.0, made + at_s - time.monotonic()))
            pods = f"/api/v1/namespaces/{namespace}/pods"
            for pod in self._api.get(pods, labelSelector="app=database")["items"]:
                self._api.delete(f"{pods}/{pod['metadata']['name']}", gracePeriodSeconds="0")
                self.killed.append(pod["metadata"]["name"])

    def _namespace(self) -> str:
        until = time.monotonic() + 300
        while time.monotonic() < until:
            for item in self._api.get("/api/v1/namespaces", labelSelector=RUN_LABEL)["items"]:
                if item["metadata"]["name"].endswith(f"-{self._trial}"):
                    return str(item["metadata"]["name"])
            time.sleep(0.5)
        raise AssertionError(f"no namespace of trial {self._trial}")


def test_a_database_that_is_killed_in_the_overload_is_not_held_against_the_gateway(cluster, tmp_path):
    subject = read_subject(gateway_stack(tmp_path))
    checks = selected(load_checks(content("conformance")), ["P5", "D8"])
    killer = DatabaseKiller(Api.connect(cluster.kubeconfig(), cluster.context), "overload")
    killer.start()
    result = certify(subject, cluster, checks, Silence(), runs=tmp_path / "runs", seed=1, lanes=2)
    record = RunRecord.open(Path(result.record))
    gone = {change.name for change in record.timeline("overload").of("Pod") if change.type == "DELETED"}
    assert len(killer.killed) >= 2
    assert set(killer.killed) <= gone
    found = {id: (verdict.outcome, verdict.found) for id, verdict in result.verdicts.items()}
    assert {id: outcome for id, (outcome, _) in found.items()} == {"P5": "pass", "D8": "pass"}, found
