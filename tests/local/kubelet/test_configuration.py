"""Environment, volumes, names and images, as a container finds them."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kubelet_pods import Node, condition, ended, phase, pod, ready, running, shell, state

from seatrial.clusters.local.kubelet.images import ImageMap
from seatrial.clusters.local.kubelet.isolation import NO_ISOLATION
from seatrial.clusters.local.kubelet.kubelet import Kubelet
from seatrial.clusters.local.kubelet.node import Capacity
from seatrial.clusters.local.kubelet.sandbox import ApiAccess
from seatrial.clusters.local.store import Store
from seatrial.clusters.recipe import read_recipe

pytestmark = pytest.mark.local


def config_map(name: str = "settings", **data: str):
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def claim(name: str = "cache"):
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": wanted}


def mount(name: str, path: str, **fields):
    return {"name": name, "mountPath": path} | fields


@asynccontextmanager
async def node_with(folder: Path, images: ImageMap | None = None, **options: Any) -> AsyncIterator[Node]:
    store = Store()
    kubelet = Kubelet(store, images or ImageMap(), folder / "kubelet", **options)
    await kubelet.start()
    yield Node(store, kubelet)
    await kubelet.stop()


async def output(node: Node, obj, name: str = "web") -> str:
    """What a pod writes that runs to its end."""
    node.run(obj)
    assert phase(await node.until(ended, name)) == "Succeeded", await node.log(name)
    return await node.log(name, follow=True)


async def test_the_environment(node: Node) -> None:
    node.store.create("configmaps", config_map(level="low", mode="a"))
    token = base64.b64encode(b"s3cret").decode()
    secret = {"metadata": {"name": "keys", "namespace": "default"}, "data": {"token": token}}
    node.store.create("secrets", secret)
    env = [
        {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "ABSENT", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "x", "optional": True}}},
        {"name": "ALL", "value": "$(LEVEL) $(TOKEN) $(NOBODY) $$(LEVEL)"},
    ]
    everything = [{"prefix": "SET_", "configMapRef": {"name": "settings"}}]
    script = 'echo "$ALL/$NODE/${ABSENT-unset}/$SET_mode/$HOSTNAME/$HOME/${POD_IP%%.*}"'
    seen = await output(node, pod(shell(script, env=env, envFrom=everything), restartPolicy="Never"))
    assert seen == "low s3cret $(NOBODY) $(LEVEL)/local-node/unset/a/web//root/127\n"


async def test_a_container_waits_for_its_config_map(node: Node) -> None:
    env = [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}]
    node.run(pod(shell("echo $LEVEL", env=env), restartPolicy="Never"))
    seen = await node.until(lambda obj: "waiting" in state(obj)["state"] and node.events("Failed"))
    assert state(seen)["state"]["waiting"] == {
        "reason": "CreateContainerConfigError",
        "message": 'configmap "settings" not found',
    }
    node.store.create("configmaps", config_map(level="low"))
    await node.until(ended)
    assert await node.log(follow=True) == "low\n"


async def test_a_pod_waits_for_its_volumes(node: Node) -> None:
    volumes = [{"name": "settings", "configMap": {"name": "settings"}}]
    container = shell("cat /etc/settings/level", volumeMounts=[mount("settings", "/etc/settings")])
    node.run(pod(container, volumes=volumes, restartPolicy="Never"))
    await node.eventually(lambda: node.events("FailedMount"))
    assert phase(node.store.get("pods", "default", "web")) == "Pending"
    node.store.create("configmaps", config_map(level="low"))
    await node.until(ended)
    assert await node.log(follow=True) == "low"


async def test_a_changed_config_map_reaches_files_but_neither_environment_nor_sub_paths(node: Node) -> None:
    node.store.create("configmaps", config_map(level="low"))
    mounts = [mount("settings", "/etc/settings"), mount("settings", "/etc/one/level", subPath="level")]
    env = [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}]
    script = """
    echo up
    while [ "$(cat /etc/settings/level)" = low ]; do sleep 0.05; done
    echo "$(cat /etc/settings/level) $(cat /etc/one/level) $LEVEL $(ls /etc/settings)"
    """
    volumes = [{"name": "settings", "configMap": {"name": "settings"}}]
    node.run(pod(shell(script, volumeMounts=mounts, env=env), volumes=volumes, restartPolicy="Never"))
    await node.until(running)
    node.store.mutate("configmaps", "default", "settings", lambda draft: draft.update(data={"level": "high"}))
    await node.until(ended)
    assert await node.log(follow=True) == "up\nhigh low low level\n"


async def test_projected_files_have_paths_and_modes(node: Node) -> None:
    node.store.create("configmaps", config_map(level="low", mode="a"))
    sources = [
        {"configMap": {"name": "settings", "items": [{"key": "mode", "path": "deep/mode", "mode": 0o400}]}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"secret": {"name": "none", "optional": True}},
    ]
    script = "cd /etc/all && cat deep/mode name && stat -L -c ' %a' deep/mode && ls"
    container = shell(script, volumeMounts=[mount("all", "/etc/all", readOnly=True)])
    volumes = [{"name": "all", "projected": {"sources": sources}}]
    assert await output(node, pod(container, volumes=volumes, restartPolicy="Never")) == "aweb 400\ndeep\nname\n"


async def test_an_empty_dir_is_shared_by_the_containers_and_survives_a_restart(node: Node) -> None:
    shared = [mount("work", "/work-dir")]
    init = shell("echo made > /work-dir/file", name="init", volumeMounts=shared)
    again = "cat /work-dir/file; test -e /work-dir/tried || { touch /work-dir/tried; exit 1; }"
    main = shell(again, volumeMounts=shared)
    volumes = [{"name": "work", "emptyDir": {}}]
    seen = await output(node, pod(main, initContainers=[init], volumes=volumes, restartPolicy="OnFailure"))
    assert seen == "made\n"
    assert await node.log(previous=True) == "made\n"


async def test_a_claim_is_waited_for_and_outlives_its_pods(node: Node) -> None:
    volumes = [{"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}}]
    container = shell("cat /cache/file; echo one > /cache/file", volumeMounts=[mount("cache", "/cache")])
    node.run(pod(container, volumes=volumes, restartPolicy="OnFailure"))
    await node.eventually(lambda: node.events("FailedScheduling"))
    node.store.create("persistentvolumeclaims", claim())
    await node.eventually(lambda: node.events("FailedMount"))
    node.store.mutate(
        "persistentvolumeclaims",
        "default",
        "cache",
        lambda draft: draft.update(status={"phase": "Bound"}),
        subresource="status",
    )
    await node.until(ended)
    reader = shell("cat /cache/file", volumeMounts=[mount("cache", "/cache")])
    assert await output(node, pod(reader, name="reader", volumes=volumes, restartPolicy="Never"), "reader") == "one\n"


async def test_services_have_names_that_follow_them(node: Node) -> None:
    script = "until getent hosts pg.default.svc.cluster.local; do sleep 0.05; done; getent hosts pg; getent hosts web"
    node.run(pod(shell(script), restartPolicy="Never"))
    seen = await node.until(running)
    spec = {"clusterIP": "127.96.0.10", "ports": [{"port": 5432}]}
    service = {"metadata": {"name": "pg", "namespace": "default"}, "spec": spec}
    address = node.store.create("services", service)["spec"]["clusterIP"]
    await node.until(ended)
    lines = [line.split()[0] for line in (await node.log(follow=True)).splitlines()]
    assert lines == [address, address, seen["status"]["podIP"]]


async def test_an_unknown_image_is_not_pulled_and_says_how_to_map_it(node: Node) -> None:
    node.run(pod(shell("exit 0") | {"image": "shop/api:1"}))
    seen = await node.until(lambda obj: state(obj)["state"].get("waiting", {}).get("reason") == "ImagePullBackOff")
    assert '--process "shop/api=COMMAND"' in state(seen)["state"]["waiting"]["message"]
    assert phase(seen) == "Pending"
    assert any(event["message"] == "Error: ErrImagePull" for event in node.events("Failed"))


SERVE = "import os, sys; print(os.environ['GREETING'], os.environ['POD_IP'], *sys.argv[1:])"
SHOP = """
image: shop/api
process:
  command: ["{python}", "{images}/serve.py", "{pod_ip}"]
  env: {GREETING: hello}
"""


async def test_an_image_brings_command_and_environment(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "serve.py").write_text(SERVE)
    (images / "shop.image.yaml").write_text(SHOP)
    recipe = read_recipe(images / "shop.image.yaml")
    async with node_with(tmp_path, ImageMap().with_recipe(recipe)) as node:
        port = [{"name": "PORT", "value": "80"}]
        api = {"name": "web", "image": "shop/api:2", "args": ["--port", "$(PORT)"], "env": port}
        greeting, ip, *arguments = (await output(node, pod(api, restartPolicy="Never"))).split()
        assert (greeting, arguments) == ("hello", [ip, "--port", "80"])


async def test_without_isolation_mount_paths_are_replaced(tmp_path: Path) -> None:
    async with node_with(tmp_path, isolation=NO_ISOLATION) as node:
        node.store.create("configmaps", config_map(level="low"))
        env = [{"name": "SETTINGS", "value": "/etc/settings/level"}]
        mounts = [mount("settings", "/etc/settings")]
        container = shell('cat "$SETTINGS" /etc/settings/level', env=env, volumeMounts=mounts)
        volumes = [{"name": "settings", "configMap": {"name": "settings"}}]
        assert await output(node, pod(container, volumes=volumes, restartPolicy="Never")) == "lowlow"
        assert node.kubelet.isolation.startswith("none")


async def test_a_pod_too_large_for_the_node_waits_until_there_is_room(tmp_path: Path) -> None:
    async with node_with(tmp_path, capacity=Capacity(cpus=1, memory_bytes=1 << 30)) as node:
        half = {"requests": {"cpu": "600m"}}
        node.run(pod(shell("trap 'exit 0' TERM; while :; do sleep 0.05; done", resources=half)))
        await node.until(running)
        node.run(pod(shell("exit 0", resources=half), name="second", restartPolicy="Never"))
        await node.eventually(lambda: node.events("FailedScheduling"))
        assert node.events("FailedScheduling")[0]["message"] == "0/1 nodes are available: 1 Insufficient cpu."
        assert condition(node.store.get("pods", "default", "second"), "PodScheduled") == "False"
        node.store.delete("pods", "default", "web", grace_period_s=1)
        await node.until(ended, "second")


async def test_a_termination_message_is_reported(node: Node) -> None:
    node.run(pod(shell("echo because > /dev/termination-log; exit 4"), restartPolicy="Never"))
    seen = await node.until(ended)
    assert state(seen)["state"]["terminated"]["message"] == "because\n"


async def test_a_program_that_does_not_exist_is_a_start_error(node: Node) -> None:
    node.run(pod({"name": "web", "image": "busybox", "command": ["/no/such/program"]}, restartPolicy="Never"))
    terminated = state(await node.until(ended))["state"]["terminated"]
    assert (terminated["reason"], terminated["exitCode"]) == ("StartError", 128)
    assert "/no/such/program" in terminated["message"]


async def test_a_pod_gets_the_way_to_the_api_server_unless_it_declines(node: Node) -> None:
    access = ApiAccess("127.0.0.1", 6443, b"CA", "a token")
    node.kubelet.offer_api(access)
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    where = 'echo "$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT"'
    script = f"{where}; cd {account} && tail -n +1 ca.crt token namespace"
    seen = await output(node, pod(shell(script), restartPolicy="Never"))
    assert seen.startswith("127.0.0.1:6443\n")
    assert "a token" in seen
    without = shell(f"test ! -e {account}")
    declining = pod(without, name="plain", restartPolicy="Never", automountServiceAccountToken=False)
    await output(node, declining, "plain")


async def test_without_isolation_commands_of_probes_find_the_volumes_too(tmp_path: Path) -> None:
    async with node_with(tmp_path, isolation=NO_ISOLATION) as node:
        probe = {"exec": {"command": ["test", "-e", "/work-dir/ready"]}, "periodSeconds": 1}
        script = "trap 'exit 0' TERM; touch /work-dir/ready; while :; do sleep 0.05; done"
        container = shell(script, readinessProbe=probe, volumeMounts=[mount("work", "/work-dir")])
        node.run(pod(container, volumes=[{"name": "work", "emptyDir": {}}]))
        await node.until(ready)
        node.store.delete("pods", "default", "web")
        assert state(await node.gone())["state"]["terminated"]["exitCode"] == 0
