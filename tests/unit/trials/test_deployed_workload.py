"""What a trial does with one workload, against an API and a watch that are written down here."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from seatrial.clock import RunClock
from seatrial.errors import ClusterError, InputError
from seatrial.observation import Pod, Workload
from seatrial.trials.context import CORDONED, WorkloadNotFound
from seatrial.trials.sandbox.nodes import Nodes, reopen
from seatrial.trials.sandbox.workload import DeployedWorkload, is_rolled_out
from seatrial.watch.api import ApiRefused
from tests.helpers.observations import contract
from tests.unit.watch.test_ownership import ENGINES, GATEWAY, NAMESPACE


class Watch:
    """A watch that shows what it is given, and nothing later."""

    def __init__(self, *changes):
        self.all = changes

    def changes(self):
        return self.all

    def logs(self):
        return ()

    def wait(self, holds, timeout_s):
        return holds(self.all)


class Api:
    """Keeps what is asked; `refusal` is raised by every create."""

    def __init__(self, refusal=None, nodes=()):
        self.asked = []
        self.refusal = refusal
        self.nodes = nodes

    def create(self, path, body):
        self.asked.append(("POST", path, body["kind"]))
        if self.refusal:
            raise self.refusal

    def patch(self, path, body):
        self.asked.append(("PATCH", path, body))

    def get(self, path):
        return {"items": list(self.nodes)}


WORKLOADS = {
    "gateway": {"name": "gateway", "container": "server"},
    "engines": {"selector": {"app": "engine", "tier": "gpu"}, "service": "engines", "replicas": ""},
    "typo": {"selector": {"app": "enigne"}, "service": "engines", "replicas": ""},
    "other": {"name": "gateway", "container": "sever"},
}
RESOLVED = {
    "gateway": GATEWAY,
    "engines": ENGINES,
    "typo": Workload(selector={"app": "enigne"}),
    "other": GATEWAY,
}


def deployed(name, *, changes=NAMESPACE, api=None, **context):
    given = {
        "contract": contract(workloads=WORKLOADS),
        "contract_file": Path("c.yaml"),
        "workloads": RESOLVED,
        "clock": RunClock.start(),
        "api": api,
        **context,
    }
    return DeployedWorkload(SimpleNamespace(**given), "ns", Watch(*changes), name)


def test_only_its_own_pods_are_waited_for():
    assert [pod.name for pod in deployed("gateway").wait_pods(2, 1.0)] == ["gateway-1-a", "gateway-2-b"]
    assert [pod.name for pod in deployed("engines").wait_pods(1, 1.0)] == ["engine-f"]


def test_too_few_pods_are_the_clusters_fault():
    with pytest.raises(ClusterError, match="ns: expected 3 Ready pods of Deployment gateway within 1 s, found 2"):
        deployed("gateway").wait_pods(3, 1.0)


def test_of_pods_whose_number_nothing_governs_it_is_said_what_would():
    said = r"within 1 s, found 1; this trial wants 3, and .* how many: name one in workloads\.engines\.replicas$"
    with pytest.raises(ClusterError, match=said):
        deployed("engines").wait_pods(3, 1.0)


def test_a_selector_that_matches_nothing_is_told_with_the_pods_there_were():
    with pytest.raises(WorkloadNotFound) as refused:
        deployed("typo").wait_pods(1, 1.0)
    said = str(refused.value)
    assert said.startswith("c.yaml, workloads.typo.selector: expected pods with app=enigne, found none of them among ")
    assert "database-0 (StatefulSet database), engine-f (no owner), " in said


def test_pods_are_replaced_when_none_of_their_uid_is_left_but_on_its_way_out():
    """A StatefulSet's pods have the names of those before them."""
    gateway = deployed("gateway")
    before = gateway.pods()
    assert [pod.name for pod in before] == ["gateway-1-a", "gateway-2-b"]
    assert not gateway.wait_replaced(before, 1.0)
    assert not gateway.wait_replaced(before[:1], 1.0)
    namesakes = [replace(pod, uid=f"{pod.uid}-of-before") for pod in before]
    assert gateway.wait_replaced(namesakes, 1.0)
    leaving = [change for change in NAMESPACE if change.name in ("gateway-1-a", "gateway-2-b")]
    on_their_way = [
        replace(change, object={**change.object, "metadata": {**change.object["metadata"], "deletionTimestamp": "now"}})
        for change in leaving
    ]
    assert deployed("gateway", changes=[*NAMESPACE, *on_their_way]).wait_replaced(before, 1.0)


def test_a_container_that_the_pods_do_not_have_is_told():
    with pytest.raises(WorkloadNotFound, match=r"c\.yaml, workloads\.other\.container: expected one of server, proxy"):
        deployed("other").wait_pods(2, 1.0)


POD = Pod("gateway-1-a", "10.0.0.1", "node", "uid", {"containers": [{"name": "server"}]})


def test_an_eviction_is_asked_of_the_eviction_api():
    api = Api()
    assert deployed("gateway", api=api).evict(POD).refused == ""
    assert api.asked == [("POST", "/api/v1/namespaces/ns/pods/gateway-1-a/eviction", "Eviction")]


def test_an_eviction_that_a_budget_forbids_is_an_answer_and_no_error():
    budget = "Cannot evict pod as it would violate the pod's disruption budget."
    assert deployed("gateway", api=Api(ApiRefused("x", 429, budget))).evict(POD).refused == budget


def test_an_eviction_refused_for_another_reason_is_an_error():
    with pytest.raises(ApiRefused, match="x"):
        deployed("gateway", api=Api(ApiRefused("x", 403, "forbidden"))).evict(POD)


def test_a_restart_changes_the_template_and_nothing_else():
    api = Api()
    deployed("gateway", api=api).restart()
    ((_, path, body),) = api.asked
    assert path == "/apis/apps/v1/namespaces/ns/deployments/gateway"
    assert list(body["spec"]["template"]["metadata"]["annotations"]) == ["kubectl.kubernetes.io/restartedAt"]


@pytest.mark.parametrize("act", [lambda of: of.restart(), lambda of: of.scale(2), lambda of: of.wait_rolled_out(1.0)])
def test_pods_made_at_run_time_cannot_be_scaled_or_restarted_here(act):
    with pytest.raises(InputError, match=r"workloads\.engines: expected a Deployment or StatefulSet"):
        act(deployed("engines", api=Api()))


DONE = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("changed", "done"),
    [
        ({}, True),
        ({"observedGeneration": 2}, False),
        ({"updatedReplicas": 1}, False),
        ({"replicas": 3}, False),
        ({"availableReplicas": 1}, False),
    ],
)
def test_a_rollout_is_over_when_every_replica_is_new_and_available(changed, done):
    assert is_rolled_out({"spec": {"replicas": 2}, "status": {**DONE, **changed}}, 3) is done


# nodes


def nodes(api, **cluster):
    context = SimpleNamespace(api=api, run_id="ab12", say=None, cluster=SimpleNamespace(**cluster))
    return Nodes(context)


def test_a_node_that_was_closed_is_opened_again_once():
    api = Api()
    rooms = nodes(api, is_ours=True, name="kind")
    rooms.cordon("worker")
    rooms.open_again()
    rooms.open_again()
    assert api.asked == [
        ("PATCH", "/api/v1/nodes/worker", body)
        for body in (
            {"metadata": {"annotations": {CORDONED: "ab12"}}, "spec": {"unschedulable": True}},
            {"metadata": {"annotations": {CORDONED: None}}, "spec": {"unschedulable": None}},
        )
    ]


def test_a_cluster_that_serves_others_keeps_its_nodes():
    api = Api()
    with pytest.raises(InputError, match="--cluster existing: expected a cluster of Seatrial's own to cordon worker"):
        nodes(api, is_ours=False, name="existing").cordon("worker")
    assert api.asked == []


def test_nodes_left_closed_are_found_by_the_run_that_closed_them():
    def node(name, run):
        return {"metadata": {"name": name, "annotations": {CORDONED: run} if run else {}}}

    left = [node("a", "ab12"), node("b", "ab12-again"), node("c", "cd34"), node("d", "")]
    assert reopen(Api(nodes=left), "ab12") == ["a", "b"]
    assert reopen(Api(nodes=left)) == ["a", "b", "c"]
