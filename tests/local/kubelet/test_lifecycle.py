"""Pods run, end and are deleted as on any kubelet."""

import pytest
from kubelet_pods import Node, condition, container, ended, http, phase, pod, ready, running, serving, shell, state

pytestmark = pytest.mark.local


async def test_a_pod_without_probes_is_ready_once_its_container_runs(node: Node) -> None:
    node.run(pod(container()))
    seen = await node.until(ready)
    assert phase(seen) == "Running"
    assert seen["spec"]["nodeName"] == "local-node"
    assert seen["status"]["podIP"].startswith("127.")
    for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready", "PodReadyToStartContainers"):
        assert condition(seen, kind) == "True"
    assert [len(node.events(reason)) for reason in ("Scheduled", "Pulled", "Created", "Started")] == [1, 1, 1, 1]


async def test_the_final_status_comes_before_the_deletion(node: Node) -> None:
    node.run(pod(serving()))
    await node.until(ready)
    node.store.delete("pods", "default", "web")
    last = await node.gone()
    assert state(last)["state"]["terminated"]["exitCode"] == 0
    modified = [event.object for event in node.seen if event.type == "MODIFIED"]
    assert state(modified[-1])["state"]["terminated"]["reason"] == "Completed"
    assert phase(modified[-1]) == "Succeeded"


async def test_a_pid_1_without_a_handler_ignores_sigterm_and_is_killed(node: Node) -> None:
    node.run(pod(shell("exec sleep 100"), terminationGracePeriodSeconds=1))
    await node.until(running)
    node.store.delete("pods", "default", "web")
    last = await node.gone()
    assert state(last)["state"]["terminated"]["exitCode"] == 137


@pytest.mark.parametrize(
    ("policy", "code", "expected"),
    [
        ("Never", 0, "Succeeded"),
        ("Never", 7, "Failed"),
        ("OnFailure", 0, "Succeeded"),
    ],
)
async def test_a_pod_that_is_not_restarted_ends_with_its_container(node: Node, policy, code, expected) -> None:
    node.run(pod(shell(f"exit {code}"), restartPolicy=policy))
    seen = await node.until(ended)
    assert phase(seen) == expected
    assert state(seen)["state"]["terminated"]["exitCode"] == code
    assert state(seen)["restartCount"] == 0


async def test_the_first_restart_is_immediate_and_the_second_waits(node: Node) -> None:
    node.run(pod(shell("exit 3")))
    seen = await node.until(lambda obj: state(obj)["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
    assert state(seen)["restartCount"] == 1
    assert state(seen)["lastState"]["terminated"]["exitCode"] == 3
    assert "back-off 10s" in state(seen)["state"]["waiting"]["message"]
    assert phase(seen) == "Running"
    assert not ready(seen)


async def test_readiness_gates_ready(node: Node) -> None:
    node.run(pod(container(readinessProbe=http("/ready"))))
    await node.until(running)
    await node.until(ready)
    assert "/ready kube-probe/1.34" in await node.log()
