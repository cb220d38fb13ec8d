"""StatefulSets: names and claims that stay, an order of coming, going and updating, and what holds it up.

Source: Kubernetes, "StatefulSets": stable network ID, deployment and scaling guarantees, rolling updates, partitions,
forced rollback; "StatefulSet Basics".
"""

from dataclasses import dataclass

import pytest

from semantics.kube import Kube, Recording, eventually, is_true, recording
from semantics.workload import Witness, probe, service

SERVE = """
path = "/data/note"
if os.path.isdir("/data"):
    tell("found", text=open(path).read() if os.path.exists(path) else None)
    open(path, "w").write(os.environ["POD_NAME"])
on_sigterm(0)
serve(ready='503 200')
"""
BROKEN = "on_sigterm(0); serve(ready='503')"
RESOLVES = """
def address(name):
    while True:
        try:
            return socket.gethostbyname(name)
        except OSError:
            time.sleep(0.5)
tell("resolved", addresses=[address(f"ordered-{n}.ordered") for n in (0, 1)])
"""
READY = {"readinessProbe": probe("ready")}
DATA = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
}
MOUNTED = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
PARTED = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
MARK = {"spec": {"template": {"metadata": {"annotations": {"revision": "second"}}}}}


@dataclass(frozen=True)
class Sets:
    """Four StatefulSets that were made, were complete, and whose template was changed."""

    kube: Kube
    pods: Recording
    as_made: dict[str, dict]  # each when it was complete, before the change

    def of(self, name: str) -> list[dict]:
        """The pods of a StatefulSet, by ordinal."""
        found = self.kube.all("Pod", labelSelector=f"app={name}")
        return sorted(found, key=lambda pod: pod["metadata"]["name"])

    def created_at(self, uid: str) -> float:
        return min(change.at for change in self.pods.changes if uid_of(change.object) == uid)

    def ready_at(self, uid: str) -> float:
        changes = [change for change in self.pods.changes if uid_of(change.object) == uid]
        return min(change.at for change in changes if is_true(change.object, "Ready"))

    def told_to_go_at(self, uid: str) -> float:
        changes = [change for change in self.pods.changes if uid_of(change.object) == uid]
        return min(change.at for change in changes if "deletionTimestamp" in change.object["metadata"])

    def lives(self, pod: str) -> list[str]:
        """The uids of the pods that had this name, in order."""
        return list(dict.fromkeys(uid_of(change.object) for change in self.pods.of(pod)))


def uid_of(obj: dict) -> str:
    return str(obj["metadata"]["uid"])


def complete(stateful_set: dict) -> bool:
    status, wanted = stateful_set["status"], stateful_set["spec"]["replicas"]
    return (
        status.get("observedGeneration") == stateful_set["metadata"]["generation"]
        and status.get("updatedReplicas") == status.get("readyReplicas") == status.get("replicas") == wanted
        and status["currentRevision"] == status["updateRevision"]
    )


def with_code(witness: Witness, code: str) -> dict:
    command = witness.container(code)["command"]
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", "command": command}]}}}}


@pytest.fixture(scope="module")
def sets(kube, witness):
    wanted = {
        "ordered": (SERVE, {"volumeClaimTemplates": [DATA]}, MOUNTED),
        "parallel": (SERVE, {"podManagementPolicy": "Parallel"}, {}),
        "parted": (SERVE, PARTED, {}),
        "broken": (SERVE, {}, {}),
    }
    with recording(kube, "Pod") as pods:
        kube.create(service("ordered", clusterIP="None"))
        for name, (code, spec, more) in wanted.items():
            kube.create(witness.stateful_set(name, code, replicas=2, spec=spec, **READY, **more))
        for name in wanted:
            eventually(lambda name=name: complete(kube.get("StatefulSet", name)), within_s=120)
        kube.create(witness.pod("asker", RESOLVES, spec={"restartPolicy": "Never"}))
        eventually(lambda: witness.heard(kube.namespace, "asker", "resolved"), within_s=90)
        seen = Sets(kube, pods, {name: kube.get("StatefulSet", name) for name in wanted})
        kube.patch("StatefulSet", "ordered", MARK, by="strategic")
        kube.patch("StatefulSet", "parted", MARK, by="strategic")
        kube.patch("StatefulSet", "broken", with_code(witness, BROKEN), by="strategic")
        eventually(lambda: complete(kube.get("StatefulSet", "ordered")), within_s=120)
        eventually(lambda: kube.get("StatefulSet", "parted")["status"].get("updatedReplicas") == 1, within_s=60)
        eventually(lambda: len(seen.lives("broken-1")) == 2, within_s=60)
        yield seen


class TestIdentity:
    def test_pods_are_named_by_their_ordinals(self, sets):
        assert [pod["metadata"]["name"] for pod in sets.of("ordered")] == ["ordered-0", "ordered-1"]
        labels = sets.of("ordered")[1]["metadata"]["labels"]
        assert labels["statefulset.kubernetes.io/pod-name"] == "ordered-1"
        assert labels["apps.kubernetes.io/pod-index"] == "1"

    def test_a_headless_service_leads_to_each_pod_by_its_name(self, sets, witness):
        (said,) = witness.heard(sets.kube.namespace, "asker", "resolved")
        first_lives = [sets.lives(f"ordered-{ordinal}")[0] for ordinal in (0, 1)]
        addresses = {
            uid_of(change.object): change.object["status"]["podIP"]
            for change in sets.pods.changes
            if change.object["status"].get("podIP")
        }
        assert said.more["addresses"] == [addresses[uid] for uid in first_lives]

    def test_each_pod_has_a_claim_of_its_own(self, sets):
        spec = sets.of("ordered")[1]["spec"]
        claims = [volume["persistentVolumeClaim"] for volume in spec["volumes"] if volume["name"] == "data"]
        assert claims == [{"claimName": "data-ordered-1"}]
        assert sets.kube.get("PersistentVolumeClaim", "data-ordered-1")["metadata"]["labels"] == {"app": "ordered"}

    def test_a_pod_finds_what_the_one_before_it_under_its_name_had_written(self, sets, witness):
        found = [said.more["text"] for said in witness.heard(sets.kube.namespace, "ordered-1", "found")]
        assert found[:2] == [None, "ordered-1"]


class TestOrder:
    def test_the_second_is_made_when_the_first_is_ready(self, sets):
        first, second = sets.lives("ordered-0")[0], sets.lives("ordered-1")[0]
        assert sets.created_at(second) >= sets.ready_at(first)

    def test_in_parallel_none_waits(self, sets):
        first, second = sets.lives("parallel-0")[0], sets.lives("parallel-1")[0]
        assert sets.created_at(second) < sets.ready_at(first)

    def test_an_update_begins_with_the_last_and_waits_until_it_is_ready(self, sets):
        assert sets.told_to_go_at(sets.lives("ordered-1")[0]) < sets.told_to_go_at(sets.lives("ordered-0")[0])
        assert sets.ready_at(sets.lives("ordered-1")[1]) <= sets.told_to_go_at(sets.lives("ordered-0")[0])

    def test_a_name_is_given_again_only_when_it_is_free(self, sets):
        before, after = sets.lives("ordered-1")[:2]
        gone = [c.at for c in sets.pods.of("ordered-1") if uid_of(c.object) == before and c.type == "DELETED"]
        assert sets.created_at(after) >= gone[0]


class TestRevisions:
    def test_pods_carry_the_name_of_their_revision(self, sets):
        status = sets.kube.get("StatefulSet", "ordered")["status"]
        assert {pod["metadata"]["labels"]["controller-revision-hash"] for pod in sets.of("ordered")} == {
            status["currentRevision"]
        }
        assert status["currentRevision"] != sets.as_made["ordered"]["status"]["currentRevision"]

    def test_pods_below_the_partition_stay_as_they_are(self, sets):
        marks = [pod["metadata"].get("annotations", {}).get("revision") for pod in sets.of("parted")]
        assert marks == [None, "second"]
        status = sets.kube.get("StatefulSet", "parted")["status"]
        assert (status["currentReplicas"], status["updatedReplicas"]) == (1, 1)
        assert status["currentRevision"] != status["updateRevision"]

    def test_a_pod_below_the_partition_comes_back_as_it_was(self, sets):
        before = uid_of(sets.of("parted")[0])
        sets.kube.delete("Pod", "parted-0")
        eventually(lambda: before not in map(uid_of, sets.of("parted")) and len(sets.of("parted")) == 2, within_s=60)
        assert "revision" not in sets.of("parted")[0]["metadata"].get("annotations", {})

    def test_a_pod_that_is_never_ready_holds_up_the_update_and_the_way_back(self, sets, witness):
        assert len(sets.lives("broken-0")) == 1
        sets.kube.patch("StatefulSet", "broken", with_code(witness, SERVE), by="strategic")
        generation = sets.kube.get("StatefulSet", "broken")["metadata"]["generation"]
        eventually(lambda: sets.kube.get("StatefulSet", "broken")["status"]["observedGeneration"] == generation)
        assert len(sets.lives("broken-1")) == 2
        sets.kube.delete("Pod", "broken-1")
        eventually(lambda: complete(sets.kube.get("StatefulSet", "broken")), within_s=90)
        assert len(sets.lives("broken-0")) == 1


class TestScaling:
    def test_the_last_goes_first_and_its_claim_stays(self, sets):
        kube = sets.kube
        kube.patch("StatefulSet", "ordered", {"spec": {"replicas": 1}}, subresource="scale")
        eventually(lambda: [pod["metadata"]["name"] for pod in sets.of("ordered")] == ["ordered-0"], within_s=60)
        assert kube.get("PersistentVolumeClaim", "data-ordered-1")["status"]["phase"] == "Bound"

    def test_with_the_stateful_set_its_pods_go_and_its_claims_stay(self, sets):
        sets.kube.delete("StatefulSet", "ordered")
        eventually(lambda: not sets.of("ordered"), within_s=60)
        assert sets.kube.find("PersistentVolumeClaim", "data-ordered-0") is not None
