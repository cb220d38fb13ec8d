"""Nothing outlives the process that started a cluster, however it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from workloads import eventually

from seatrial.clusters.local import LocalCluster

pytestmark = pytest.mark.local

STARTS_A_CLUSTER_IN_A_THREAD = """
import json, pathlib, sys, threading, time
from kubernetes import client, config
from seatrial.clusters.local import LocalCluster
cluster = LocalCluster(root=pathlib.Path(sys.argv[1]))
thread = threading.Thread(target=cluster.up)
thread.start()
thread.join()
core = client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig())))
container = {"name": "one", "image": "python:3.11-slim-bookworm", "command": ["sleep", sys.argv[2]]}
core.create_namespaced_pod("default", {"metadata": {"name": "one"}, "spec": {"containers": [container]}})
while core.read_namespaced_pod("one", "default").status.phase != "Running":
    time.sleep(0.1)
print("running", flush=True)
time.sleep(600)
"""


def processes(mark):
    """The pids of living processes with `mark` among their arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(mark in argument for argument in arguments) and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def test_a_killed_parent_takes_cluster_and_pods_along(tmp_path):
    asleep = "86399.125"  # found by this number in the list of all processes
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_CLUSTER_IN_A_THREAD, str(tmp_path), asleep], stdout=subprocess.PIPE
    )
    assert parent.stdout.readline() == b"running\n"
    node, container = str(tmp_path).encode(), asleep.encode()
    assert len(processes(container)) >= 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    eventually(lambda: not processes(node) and not processes(container))


def test_down_leaves_neither_processes_nor_files(tmp_path):
    cluster = LocalCluster(root=tmp_path)
    cluster.up()
    assert processes(str(tmp_path).encode())
    cluster.down()
    cluster.down()
    assert not processes(str(tmp_path).encode())
    assert list(tmp_path.iterdir()) == []


def test_the_node_ends_with_its_stdin(tmp_path):
    command = [sys.executable, "-m", "seatrial.clusters.local.node", "--root", str(tmp_path)]
    node = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said = json.loads(node.stdout.readline())
    assert said["url"].startswith("http://127.0.0.1:")
    assert Path(said["kubeconfig"]).is_file()
    node.stdin.close()
    assert node.wait(20) == 0
    node.stdout.close()
