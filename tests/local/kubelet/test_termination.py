"""How pods end: preStop, SIGTERM to PID 1, SIGKILL at the end of the grace period."""

import asyncio
import os
from pathlib import Path

import pytest
from kubelet_pods import Node, ended, http, phase, pod, ready, running, serving, shell, state

from seatrial.clusters.local.kubelet.logs import LogOptions

pytestmark = pytest.mark.local

FOLLOW = LogOptions(follow=True)


def clock() -> float:
    return asyncio.get_running_loop().time()


async def until_up(node: Node, name: str = "web") -> None:
    """The container has said its first word, so its handlers are set."""
    await node.until(running, name)
    stream = node.kubelet.logs("default", name, options=FOLLOW)
    async for _ in stream:
        return


async def test_the_grace_period_covers_the_hook_and_two_seconds_are_added_where_it_does_not(node: Node) -> None:
    hook = {"preStop": {"exec": {"command": ["sleep", "20"]}}}
    script = "trap 'echo told' TERM; echo up; while :; do sleep 0.1; done"
    node.run(pod(shell(script, lifecycle=hook), terminationGracePeriodSeconds=2))
    await until_up(node)
    begun = clock()
    node.store.delete("pods", "default", "web")
    last = await node.gone()
    assert state(last)["state"]["terminated"]["exitCode"] == 137
    assert clock() - begun >= 4.0


async def test_sigterm_waits_for_a_sleeping_hook(node: Node) -> None:
    hook = {"preStop": {"sleep": {"seconds": 1}}}
    node.run(pod(serving(lifecycle=hook)))
    await node.until(ready)
    begun = clock()
    node.store.delete("pods", "default", "web")
    last = await node.gone()
    assert state(last)["state"]["terminated"]["exitCode"] == 0
    assert clock() - begun >= 1.0


async def test_a_failing_hook_is_told_and_does_not_keep_the_pod(node: Node) -> None:
    node.run(pod(serving(lifecycle={"preStop": {"exec": {"command": ["false"]}}})))
    await node.until(ready)
    node.store.delete("pods", "default", "web")
    await node.gone()
    assert len(node.events("FailedPreStopHook")) == 1


async def test_a_request_as_hook_reaches_the_server_before_sigterm(node: Node) -> None:
    hook = {"preStop": {"httpGet": {"path": "/bye", "port": 8080}}}
    node.run(pod(serving(lifecycle=hook)))
    await node.until(ready)
    log = asyncio.create_task(node.log(follow=True))
    node.store.delete("pods", "default", "web")
    await node.gone()
    lines = (await log).splitlines()
    assert lines.index("SIGTERM") > next(i for i, line in enumerate(lines) if line.startswith("/bye kube-lifecycle/"))


async def test_readiness_is_probed_until_the_end_and_liveness_is_not(node: Node) -> None:
    hook = {"preStop": {"sleep": {"seconds": 3}}}
    node.run(pod(serving(lifecycle=hook, livenessProbe=http("/live", failureThreshold=3))))
    await node.until(ready)
    log = asyncio.create_task(node.log(follow=True))
    before = len((await node.log()).splitlines())
    node.store.delete("pods", "default", "web")
    await node.gone()
    paths = [line.split()[0] for line in (await log).splitlines()[before:]]
    assert paths.count("/ready") >= 2
    assert paths.count("/live") <= 1  # one may be under way


async def test_a_shorter_grace_period_hastens_a_deletion_under_way(node: Node) -> None:
    node.run(pod(shell("trap '' TERM; echo up; while :; do sleep 0.1; done"), terminationGracePeriodSeconds=60))
    await until_up(node)
    node.store.delete("pods", "default", "web")
    await asyncio.sleep(0.1)
    node.store.delete("pods", "default", "web", grace_period_s=1)
    last = await node.gone(within_s=20)
    assert state(last)["state"]["terminated"]["exitCode"] == 137


async def test_a_pod_removed_by_force_ends_too(node: Node) -> None:
    node.run(pod(serving()))
    await node.until(ready)
    process = node.kubelet.container("default", "web").process
    assert process is not None
    node.store.delete("pods", "default", "web", grace_period_s=0)
    async with asyncio.timeout(10):
        assert await process.wait() == 0


async def test_sidecars_end_after_the_main_container_in_reverse_order(node: Node) -> None:
    def sidecar(name):
        script = (
            f"trap 'date +%s%N > /shared/{name}; exit 0' TERM; touch /shared/{name}-up; while :; do sleep 0.05; done"
        )
        mounts = [{"name": "shared", "mountPath": "/shared"}]
        startup = {"exec": {"command": ["test", "-e", f"/shared/{name}-up"]}, "periodSeconds": 1}
        return shell(script, name=name, restartPolicy="Always", volumeMounts=mounts, startupProbe=startup)

    script = "trap 'sleep 0.3; date +%s%N > /shared/main; exit 0' TERM; touch /shared/up; while :; do sleep 0.05; done"
    main = shell(
        script,
        volumeMounts=[{"name": "shared", "mountPath": "/shared"}],
        readinessProbe={"exec": {"command": ["test", "-e", "/shared/up"]}, "periodSeconds": 1},
    )
    claim = {"metadata": {"name": "shared", "namespace": "default"}, "status": {"phase": "Bound"}}
    claim["spec"] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    node.store.create("persistentvolumeclaims", claim)
    node.store.mutate(
        "persistentvolumeclaims",
        "default",
        "shared",
        lambda draft: draft.update(status={"phase": "Bound"}),
        subresource="status",
    )
    volumes = [{"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}]
    node.run(pod(main, initContainers=[sidecar("first"), sidecar("second")], volumes=volumes))
    seen = await node.until(ready)
    node.store.delete("pods", "default", "web")
    await node.gone()
    reader = shell("cat /shared/main /shared/second /shared/first", volumeMounts=main["volumeMounts"])
    node.run(pod(reader, name="reader", volumes=volumes, restartPolicy="Never"))
    await node.until(ended, "reader")
    ends = [int(line) for line in (await node.log("reader", follow=True)).split()]
    assert len(ends) == 3
    assert ends == sorted(ends)
    assert [one["name"] for one in seen["status"]["initContainerStatuses"]] == ["first", "second"]


async def test_a_pod_past_its_active_deadline_fails(node: Node) -> None:
    node.run(pod(shell("trap 'exit 0' TERM; while :; do sleep 0.1; done"), activeDeadlineSeconds=1))
    seen = await node.until(ended)
    assert phase(seen) == "Failed"
    assert seen["status"]["reason"] == "DeadlineExceeded"


async def test_a_daemonised_grandchild_does_not_outlive_the_container(node: Node) -> None:
    script = "setsid sh -c 'exec sleep 4711' & echo up; while :; do sleep 0.1; done"
    node.run(pod(shell(script), terminationGracePeriodSeconds=1))
    await until_up(node)

    def sleepers() -> list[str]:
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if Path("/proc", pid, "cmdline").read_bytes() == b"sleep\x004711\x00":
                    found.append(pid)
            except OSError:
                continue
        return found

    async with asyncio.timeout(5):
        while not sleepers():
            await asyncio.sleep(0.02)
    node.store.delete("pods", "default", "web")
    await node.gone()
    assert sleepers() == []


async def test_deleting_a_pod_that_crash_loops_does_not_wait_for_the_back_off(node: Node) -> None:
    node.run(pod(shell("exit 1")))
    await node.until(lambda obj: state(obj)["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
    node.store.delete("pods", "default", "web")
    last = await node.gone(within_s=5)
    assert phase(last) == "Failed"
