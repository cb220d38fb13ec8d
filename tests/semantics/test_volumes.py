"""Volumes: what outlives a container, what outlives a pod.

Source: Kubernetes, "Persistent Volumes"; "Volumes", emptyDir.
"""

import pytest

from semantics.kube import Kube, Refused, eventually
from semantics.workload import Witness

NOTE = """
path = "/data/note"
tell("found", text=open(path).read() if os.path.exists(path) else None)
open(path, "w").write(os.environ["TEXT"])
"""


def claim(name: str) -> dict:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return {"kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def writer(witness: Witness, name: str, volume: dict, then: str, *, restart: str = "Never", **mount) -> dict:
    return witness.pod(
        name,
        NOTE + then,
        env=[{"name": "TEXT", "value": name}],
        volumeMounts=[{"name": "data", "mountPath": "/data", **mount}],
        spec={"restartPolicy": restart, "volumes": [{"name": "data", **volume}]},
    )


def found(witness: Witness, kube: Kube, pod: str) -> list[str | None]:
    return [said.more["text"] for said in witness.heard(kube.namespace, pod, "found")]


@pytest.fixture(scope="module")
def done(kube, witness):
    kept = {"persistentVolumeClaim": {"claimName": "kept"}}
    kube.create(claim("kept"))
    kube.create(claim("unused"))
    kube.create(writer(witness, "first", kept, "on_sigterm(0); time.sleep(600)"))
    kube.create(writer(witness, "scratch", {"emptyDir": {}}, "sys.exit(1)", restart="OnFailure"))
    code = "import os, sys; sys.exit(9 if not os.access('/data', os.W_OK) else 0)"
    read_only = writer(witness, "read-only", kept, "", readOnly=True)
    read_only["spec"]["containers"][0]["command"][-1] = code
    kube.create(read_only)
    eventually(lambda: found(witness, kube, "first"), within_s=60)
    eventually(lambda: len(found(witness, kube, "scratch")) >= 2, within_s=60)
    return kube


def test_a_claim_that_a_pod_uses_is_bound(done):
    assert done.get("PersistentVolumeClaim", "kept")["status"]["phase"] == "Bound"


def test_an_empty_dir_outlives_its_container(done, witness):
    assert found(witness, done, "scratch")[:2] == [None, "scratch"]


def test_a_read_only_mount_cannot_be_written(done):
    ended = eventually(lambda: ended_state(done, "read-only"), within_s=60)
    assert ended["exitCode"] == 9


def ended_state(kube: Kube, pod: str) -> dict | None:
    statuses = kube.get("Pod", pod)["status"].get("containerStatuses") or [{"state": {}}]
    return statuses[0]["state"].get("terminated")


def test_a_claim_in_use_is_not_removed_before_its_pods(done):
    done.create(claim("busy"))
    busy = {"persistentVolumeClaim": {"claimName": "busy"}}
    done.create(
        {
            "kind": "Pod",
            "metadata": {"name": "holder"},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "main", "image": "python:3.11-slim-bookworm", "command": ["sleep", "600"]}],
                "volumes": [{"name": "data", **busy}],
            },
        }
    )
    eventually(lambda: done.get("Pod", "holder")["status"]["phase"] == "Running", within_s=60)
    done.delete("PersistentVolumeClaim", "busy")
    assert "deletionTimestamp" in done.get("PersistentVolumeClaim", "busy")["metadata"]
    assert done.get("Pod", "holder")["status"]["phase"] == "Running"
    done.delete("Pod", "holder", gracePeriodSeconds=0)
    eventually(lambda: done.find("PersistentVolumeClaim", "busy") is None)


def test_a_claim_outlives_its_pod(done, witness):
    done.delete("Pod", "first")
    eventually(lambda: done.find("Pod", "first") is None)
    done.create(writer(witness, "second", {"persistentVolumeClaim": {"claimName": "kept"}}, ""))
    assert eventually(lambda: found(witness, done, "second"), within_s=60) == ["first"]


def test_a_pod_with_a_claim_that_is_not_there_waits(done, witness):
    done.create(writer(witness, "waits", {"persistentVolumeClaim": {"claimName": "to-come"}}, ""))
    eventually(lambda: any("to-come" in event["message"] for event in done.events("waits")))
    assert done.get("Pod", "waits")["status"]["phase"] == "Pending"
    done.create(claim("to-come"))
    assert eventually(lambda: found(witness, done, "waits"), within_s=60) == [None]


def test_a_claim_cannot_ask_for_less_afterwards(done):
    with pytest.raises(Refused) as refusal:
        done.patch("PersistentVolumeClaim", "kept", {"spec": {"resources": {"requests": {"storage": "1Ki"}}}})
    assert refusal.value.code in (403, 422)
