"""What the API server asks a kubelet for: logs, commands, metrics."""

import asyncio
from unittest.mock import AsyncMock

import pytest
from kubelet_pods import Node, pod, running, shell, state

from seatrial.clusters.local.kubelet.metrics import Meter
from seatrial.errors import ClusterError

pytestmark = pytest.mark.local

COUNT = "for i in 1 2 3; do echo line $i; done; echo error >&2; exec sleep 60"


async def until_logged(node: Node, text: str) -> None:
    async with asyncio.timeout(20):
        while text not in await node.log():
            await asyncio.sleep(0.02)


async def test_logs_hold_both_streams_in_order(node: Node) -> None:
    node.run(pod(shell(COUNT)))
    await node.until(running)
    await until_logged(node, "error")
    assert await node.log() == "line 1\nline 2\nline 3\nerror\n"
    assert await node.log(tail_lines=2) == "line 3\nerror\n"
    assert await node.log(limit_bytes=8) == "line 1\nl"
    assert await node.log(since_s=60, tail_lines=1) == "error\n"
    assert await node.log(since_time_s=4e9) == ""
    stamped = await node.log(timestamps=True, tail_lines=1)
    assert stamped.endswith("Z error\n")
    assert stamped[:2] == "20"


async def test_a_followed_log_ends_with_the_container(node: Node) -> None:
    node.run(pod(shell("echo one; sleep 0.5; echo two; printf three"), restartPolicy="Never"))
    await node.until(running)
    assert await node.log(follow=True) == "one\ntwo\nthree"


async def test_the_log_of_the_run_before_is_kept(node: Node) -> None:
    node.run(pod(shell("echo run; exit 1")))
    await node.until(lambda obj: state(obj)["restartCount"] == 1)
    assert await node.log(previous=True) == "run\n"


async def test_there_is_no_previous_log_before_a_restart(node: Node) -> None:
    node.run(pod(shell(COUNT)))
    await node.until(running)
    with pytest.raises(ClusterError, match="previous terminated container"):
        await node.log(previous=True)


async def test_a_command_runs_in_the_container(node: Node) -> None:
    node.run(pod(shell("cd /tmp; echo here > file; echo up; exec sleep 60")))
    await node.until(running)
    await until_logged(node, "up")
    typed = AsyncMock(side_effect=[b"ty", b"ped", b""])
    result = await node.kubelet.exec("default", "web", ["sh", "-c", "cat /tmp/file; cat; exit 5"], stdin=typed)
    assert (result.exit_code, result.stdout) == (5, b"here\ntyped")
    missing = await node.kubelet.exec("default", "web", ["no-such-program"])
    assert missing.exit_code == 127


async def test_a_command_that_has_read_enough_ends_before_its_stdin(node: Node) -> None:
    """As behind a terminal, whose stdin has no end."""
    node.run(pod(shell("exec sleep 60")))
    await node.until(running)
    typed = asyncio.Queue()
    typed.put_nowait(b"a line\n")
    async with asyncio.timeout(10):
        result = await node.kubelet.exec("default", "web", ["sh", "-c", "read line; echo $line"], stdin=typed.get)
    assert (result.exit_code, result.stdout) == (0, b"a line\n")


async def test_a_command_needs_a_running_container(node: Node) -> None:
    with pytest.raises(ClusterError, match="found no such pod"):
        await node.kubelet.exec("default", "web", ["true"])


async def test_metrics_count_the_cpu_of_every_process_of_the_pod(node: Node) -> None:
    node.run(pod(shell("(while :; do :; done) & exec sleep 60"), name="busy"))
    node.run(pod(shell("exec sleep 60"), name="idle"))
    for name in ("busy", "idle"):
        await node.until(running, name)
    assert node.kubelet.pod_metrics() == []  # until they have been measured twice
    meter, workers = Meter(), list(node.kubelet._workers.values())
    assert meter.sample([worker.processes() for worker in workers]) == []
    await asyncio.sleep(1)
    found = {pod.name: pod for pod in meter.sample([worker.processes() for worker in workers])}
    [busy], [idle] = found["busy"].containers, found["idle"].containers
    assert busy.cpu_cores > 0.05
    assert idle.cpu_cores < busy.cpu_cores
    assert idle.memory_bytes > 0
