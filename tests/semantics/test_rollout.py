"""Deployments: surge and unavailability, a rollout that stalls, going back.

Source: Kubernetes, "Deployments".
"""

import time
from dataclasses import dataclass
from datetime import datetime

import pytest

from semantics.kube import Kube, Recording, condition, eventually, is_true, recording
from semantics.workload import Witness, probe

SERVE = "on_sigterm(0); serve(ready='503 200')"
READY = {"readinessProbe": probe("ready")}
BROKEN = "serve(ready='503')"


def rolling(surge: int | str, unavailable: int | str) -> dict:
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}


def available(deployment: dict) -> int:
    return int(deployment["status"].get("availableReplicas", 0))


def complete(deployment: dict) -> bool:
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    return (
        status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("updatedReplicas") == status.get("replicas") == status.get("availableReplicas") == wanted
    )


@dataclass(frozen=True)
class Rollout:
    """One update of a Deployment, from the change until it was complete or given up."""

    kube: Kube
    name: str
    replicas: int
    deployments: Recording
    pods: Recording
    changed_at: float

    def states(self) -> list[dict]:
        """The Deployment's status as it changed during the update."""
        return [change.object["status"] for change in self.deployments.of(self.name) if change.at >= self.changed_at]

    def alive(self) -> list[int]:
        """How many pods were there and not terminating, after each change to a pod."""
        now: dict[str, bool] = {}
        counts = []
        for change in self.pods.of_label("app", self.name):
            now[change.name] = change.type != "DELETED" and "deletionTimestamp" not in change.object["metadata"]
            if change.at >= self.changed_at:
                counts.append(sum(now.values()))
        return counts

    def ready(self) -> list[int]:
        """How many pods were Ready and not terminating, after each change to a pod."""
        now: dict[str, bool] = {}
        counts = []
        for change in self.pods.of_label("app", self.name):
            gone = change.type == "DELETED" or "deletionTimestamp" in change.object["metadata"]
            now[change.name] = not gone and is_true(change.object, "Ready")
            if change.at >= self.changed_at:
                counts.append(sum(now.values()))
        return counts


def template(change: dict) -> dict:
    return {"spec": {"template": change}}


def with_code(witness: Witness, name: str, code: str) -> dict:
    return template({"spec": {"containers": [{"name": "main", "command": witness.container(code)["command"]}]}})


MARK = template({"metadata": {"annotations": {"revision": "second"}}})


@pytest.fixture(scope="module")
def rollouts(kube, witness):
    wanted = {
        "surging": (2, rolling(1, 0), MARK),
        "shrinking": (2, rolling(0, 1), MARK),
        "quarters": (3, {}, MARK),
        "recreated": (2, {"strategy": {"type": "Recreate"}}, MARK),
        "stalled": (2, {**rolling(1, 0), "progressDeadlineSeconds": 4}, with_code(witness, "stalled", BROKEN)),
    }
    with recording(kube, "Deployment") as deployments, recording(kube, "Pod") as pods:
        for name, (replicas, spec, _) in wanted.items():
            kube.create(witness.deployment(name, SERVE, replicas=replicas, spec=spec, **READY))
        for name in wanted:
            eventually(lambda name=name: complete(kube.get("Deployment", name)), within_s=90)
        for name, (replicas, _, _) in wanted.items():
            before = Rollout(kube, name, replicas, deployments, pods, 0.0)
            eventually(lambda before=before: before.ready()[-1] == before.replicas)  # the watch may be behind
        seen = {}
        for name, (replicas, _, change) in wanted.items():
            seen[name] = Rollout(kube, name, replicas, deployments, pods, time.time())
            kube.patch("Deployment", name, change, by="strategic")
        for name in set(wanted) - {"stalled"}:
            eventually(lambda name=name: complete(kube.get("Deployment", name)), within_s=90)
        eventually(lambda: gave_up(kube.get("Deployment", "stalled")), within_s=60)
        yield seen


def gave_up(deployment: dict) -> bool:
    return condition(deployment, "Progressing").get("reason") == "ProgressDeadlineExceeded"


def replica_sets(kube: Kube, name: str) -> dict[str, dict]:
    """By revision."""
    found = kube.all("ReplicaSet", labelSelector=f"app={name}")
    return {one["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: one for one in found}


class TestRollingUpdate:
    def test_surge_one_unavailable_none_never_has_fewer_ready_than_wanted(self, rollouts):
        assert min(rollouts["surging"].ready()) >= 2

    def test_surge_one_never_has_more_than_one_pod_too_many(self, rollouts):
        assert max(rollouts["surging"].alive()) == 3

    def test_unavailable_one_surge_none_never_has_a_pod_too_many(self, rollouts):
        assert max(rollouts["shrinking"].alive()) == 2

    def test_unavailable_one_never_has_more_than_one_too_few(self, rollouts):
        assert min(rollouts["shrinking"].ready()) == 1

    def test_a_quarter_of_three_is_one_more_and_none_less(self, rollouts):
        assert max(rollouts["quarters"].alive()) == 4
        assert min(rollouts["quarters"].ready()) >= 3

    def test_recreate_ends_all_before_it_starts_any(self, rollouts):
        assert min(rollouts["recreated"].alive()) == 0
        assert max(rollouts["recreated"].alive()) == 2

    def test_the_new_replica_set_has_all_and_the_old_one_none(self, rollouts):
        sets = replica_sets(rollouts["surging"].kube, "surging")
        assert {revision: one["spec"]["replicas"] for revision, one in sets.items()} == {"1": 0, "2": 2}

    def test_a_complete_rollout_says_so(self, rollouts):
        deployment = rollouts["surging"].kube.get("Deployment", "surging")
        assert condition(deployment, "Progressing")["reason"] == "NewReplicaSetAvailable"
        assert condition(deployment, "Available")["reason"] == "MinimumReplicasAvailable"

    def test_pods_carry_the_hash_of_their_replica_set(self, rollouts):
        kube = rollouts["surging"].kube
        newest = replica_sets(kube, "surging")["2"]
        pods = [kube.get("Pod", name) for name in living(kube, "surging")]
        assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods} == {
            newest["metadata"]["labels"]["pod-template-hash"]
        }
        assert {pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods} == {newest["metadata"]["uid"]}


class TestStalled:
    def test_the_old_pods_go_on_serving(self, rollouts):
        assert min(rollouts["stalled"].ready()) >= 2

    def test_it_is_reported_and_nothing_is_rolled_back(self, rollouts):
        deployment = rollouts["stalled"].kube.get("Deployment", "stalled")
        assert condition(deployment, "Progressing")["status"] == "False"
        assert deployment["status"]["updatedReplicas"] == 1
        assert is_true(deployment, "Available")

    def test_the_old_template_brings_back_the_old_replica_set_under_a_new_revision(self, rollouts, witness):
        kube = rollouts["stalled"].kube
        before = replica_sets(kube, "stalled")["1"]["metadata"]["uid"]
        kube.patch("Deployment", "stalled", with_code(witness, "stalled", SERVE), by="strategic")
        eventually(lambda: complete(kube.get("Deployment", "stalled")), within_s=60)
        sets = replica_sets(kube, "stalled")
        assert sets["3"]["metadata"]["uid"] == before
        assert set(sets) == {"2", "3"}
        assert condition(kube.get("Deployment", "stalled"), "Progressing")["status"] == "True"


class TestChanges:
    def test_the_same_template_starts_no_rollout(self, rollouts):
        kube = rollouts["quarters"].kube
        kube.patch("Deployment", "quarters", {"metadata": {"labels": {"touched": "yes"}}})
        kube.patch("Deployment", "quarters", MARK, by="strategic")
        eventually(lambda: complete(kube.get("Deployment", "quarters")))
        assert set(replica_sets(kube, "quarters")) == {"1", "2"}

    def test_scaling_starts_no_rollout(self, rollouts):
        kube = rollouts["shrinking"].kube
        kube.scale("shrinking", 3)
        eventually(lambda: complete(kube.get("Deployment", "shrinking")), within_s=60)
        assert set(replica_sets(kube, "shrinking")) == {"1", "2"}

    def test_scaling_down_takes_the_unready_pod_first(self, rollouts, witness):
        kube = rollouts["recreated"].kube
        ready = {pod["metadata"]["name"] for pod in kube.all("Pod", labelSelector="app=recreated")}
        kube.patch("Deployment", "recreated", {"spec": {"replicas": 3}})
        # Between its start and its first success the third pod is unready.
        eventually(lambda: len(kube.all("Pod", labelSelector="app=recreated")) == 3)
        kube.patch("Deployment", "recreated", {"spec": {"replicas": 2}})
        eventually(lambda: complete(kube.get("Deployment", "recreated")) and len(living(kube, "recreated")) == 2)
        assert living(kube, "recreated") == ready

    def test_a_deleted_pod_is_replaced(self, rollouts):
        kube = rollouts["surging"].kube
        before = living(kube, "surging")
        kube.delete("Pod", min(before))
        eventually(lambda: min(before) not in living(kube, "surging") and len(living(kube, "surging")) == 2)

    def test_with_its_deployment_everything_goes(self, rollouts):
        kube = rollouts["quarters"].kube
        kube.delete("Deployment", "quarters")
        eventually(lambda: not kube.all("ReplicaSet", labelSelector="app=quarters"))
        eventually(lambda: not living(kube, "quarters"))


def living(kube: Kube, name: str) -> set[str]:
    pods = kube.all("Pod", labelSelector=f"app={name}")
    return {pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}


def test_a_pod_is_available_only_after_the_minimum_time(kube, witness):
    with recording(kube, "Deployment") as deployments, recording(kube, "Pod") as pods:
        kube.create(witness.deployment("patient", "serve(ready='200')", spec={"minReadySeconds": 3}, **READY))
        counted = eventually(
            lambda: [change for change in deployments.of("patient") if available(change.object)], within_s=60
        )
        ready = eventually(
            lambda: [change.object for change in pods.of_label("app", "patient") if is_true(change.object, "Ready")]
        )
    ready_at = datetime.fromisoformat(condition(ready[0], "Ready")["lastTransitionTime"]).timestamp()
    assert counted[0].at - ready_at >= 3.0
