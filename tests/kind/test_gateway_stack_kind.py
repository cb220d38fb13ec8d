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


class DatabaseKiller(threading.Thread):
    """Deletes the database's pod at each of KILLED_AT_S, in each namespace of a trial: it may be run twice."""

    def __init__(self, api: Api, trial: str) -> None:
        super().__init__(daemon=True)
        self._api, self._trial = api, trial
        self._over = threading.Event()
        self.killed: dict[str, list[str]] = {}  # by namespace

    def run(self) -> None:
        made_s: dict[str, float] = {}
        while not self._over.wait(0.5):
            for namespace in self._namespaces():
                age_s = time.monotonic() - made_s.setdefault(namespace, time.monotonic())
                killed = self.killed.setdefault(namespace, [])
                if len(killed) < len(KILLED_AT_S) and age_s >= KILLED_AT_S[len(killed)]:
                    killed += self._kill(namespace)

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _namespaces(self) -> list[str]:
        items = self._api.get("/api/v1/namespaces", labelSelector=RUN_LABEL)["items"]
        return [item["metadata"]["name"] for item in items if item["metadata"]["name"].endswith(f"-{self._trial}")]

    def _kill(self, namespace: str) -> list[str]:
        pods = f"/api/v1/namespaces/{namespace}/pods"
        names = [pod["metadata"]["name"] for pod in self._api.get(pods, labelSelector="app=database")["items"]]
        for name in names:
            self._api.delete(f"{pods}/{name}", gracePeriodSeconds="0")
        return names


def test_a_database_that_is_killed_in_the_overload_is_not_held_against_the_gateway(cluster, tmp_path):
    subject = read_subject(gateway_stack(tmp_path))
    checks = selected(load_checks(content("conformance")), ["P5", "D8"])
    killer = DatabaseKiller(Api.connect(cluster.kubeconfig(), cluster.context), "overload")
    killer.start()
    result = certify(subject, cluster, checks, Silence(), runs=tmp_path / "runs", seed=1, lanes=2)
    killer.stop()
    record = RunRecord.open(Path(result.record))
    killed = killer.killed[record.raw_observation("overload")["namespace"]]
    gone = {change.name for change in record.timeline("overload").of("Pod") if change.type == "DELETED"}
    assert len(killed) >= len(KILLED_AT_S)
    assert set(killed) <= gone
    found = {id: (verdict.outcome, verdict.found) for id, verdict in result.verdicts.items()}
    assert {id: outcome for id, (outcome, _) in found.items()} == {"P5": "pass", "D8": "pass"}, found
