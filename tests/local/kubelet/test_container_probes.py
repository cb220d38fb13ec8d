"""Probes decide over readiness and restarts as the kubelet's do."""

import socket

import aiohttp
import pytest
from kubelet_pods import Node, container, http, pod, ready, running, serving, shell, state

pytestmark = pytest.mark.local


async def ask(obj, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"http://{obj['status']['podIP']}:8080{path}"):
        pass


async def test_failing_readiness_takes_the_pod_out_and_restarts_nothing(node: Node) -> None:
    node.run(pod(container(readinessProbe=http("/ready"), livenessProbe=http("/live", failureThreshold=3))))
    seen = await node.until(ready)
    await ask(seen, "/fail?/ready")
    await node.until(lambda obj: not ready(obj))
    await ask(seen, "/mend?/ready")
    seen = await node.until(ready)
    assert state(seen)["restartCount"] == 0


async def test_failing_liveness_restarts_the_container_and_keeps_its_exit_code(node: Node) -> None:
    env = [{"name": "EXIT", "value": "7"}]
    node.run(pod(serving(livenessProbe=http("/live", initialDelaySeconds=2, failureThreshold=2), env=env)))
    seen = await node.until(ready)
    await ask(seen, "/fail?/live")
    seen = await node.until(lambda obj: state(obj)["restartCount"] == 1 and ready(obj))
    assert state(seen)["lastState"]["terminated"]["exitCode"] == 7
    assert [event["message"] for event in node.events("Killing")] == [
        "Container web failed liveness probe, will be restarted"
    ]
    unhealthy = [event for event in node.events("Unhealthy") if event["message"].startswith("Liveness")]
    assert [(event["message"], event["count"]) for event in unhealthy] == [
        ("Liveness probe failed: HTTP probe failed with statuscode: 500", 2)
    ]
    assert "SIGTERM" in await node.log(previous=True)


async def test_a_startup_probe_holds_the_others_back(node: Node) -> None:
    probes = {"startupProbe": http("/start", failureThreshold=30), "livenessProbe": http("/live")}
    node.run(pod(serving(env=[{"name": "FAILING", "value": "/start"}], **probes)))
    seen = await node.until(running)
    assert state(seen)["started"] is False
    await node.eventually(lambda: "statuscode: 500" in str(node.events("Unhealthy")))
    assert "/start" in await node.log()
    assert "/live" not in await node.log()
    await ask(seen, "/mend?/start")
    seen = await node.until(ready)
    assert state(seen)["started"] is True


async def test_a_redirect_to_another_host_is_a_success_with_a_warning(node: Node) -> None:
    node.run(pod(container(readinessProbe=http("/elsewhere"))))
    await node.until(ready)
    assert len(node.events("ProbeWarning")) == 1


async def test_a_redirect_to_itself_is_followed(node: Node) -> None:
    failing = [{"name": "FAILING", "value": "/ready"}]
    node.run(pod(container(readinessProbe=http("/here"), env=failing)))
    await node.eventually(lambda: "statuscode: 500" in str(node.events("Unhealthy")))
    assert not ready(node.store.get("pods", "default", "web"))


async def test_headers_of_a_probe_replace_the_defaults(node: Node) -> None:
    probe = http("/ready")
    headers = [{"name": "Host", "value": "localhost"}, {"name": "User-Agent", "value": "me"}]
    probe["httpGet"]["httpHeaders"] = headers
    node.run(pod(container(readinessProbe=probe)))
    await node.until(ready)
    assert "/ready me localhost" in await node.log()


async def test_a_tcp_probe_succeeds_once_the_port_is_open(node: Node) -> None:
    named = {"tcpSocket": {"port": "http"}, "periodSeconds": 1}
    node.run(pod(container(readinessProbe=named, ports=[{"name": "http", "containerPort": 8080}])))
    await node.until(ready)


async def test_a_command_probe_runs_in_the_container(node: Node) -> None:
    command = {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1}
    node.run(pod(shell("sleep 0.2; touch /tmp/ready; exec sleep 60", readinessProbe=command)))
    await node.until(ready)


async def test_a_command_probe_that_takes_too_long_fails(node: Node) -> None:
    command = {"exec": {"command": ["sleep", "30"]}, "periodSeconds": 1, "timeoutSeconds": 1}
    node.run(pod(shell("exec sleep 60", readinessProbe=command)))
    await node.eventually(lambda: node.events("Unhealthy"))
    assert "timed out" in node.events("Unhealthy")[0]["message"]


async def test_a_probe_may_have_a_grace_period_of_its_own(node: Node) -> None:
    script = "trap '' TERM; while :; do sleep 0.1; done"
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    probe["terminationGracePeriodSeconds"] = 1
    node.run(pod(shell(script, livenessProbe=probe), terminationGracePeriodSeconds=60))
    seen = await node.until(lambda obj: state(obj)["restartCount"] == 1, within_s=15)
    assert state(seen)["lastState"]["terminated"]["exitCode"] == 137


async def test_a_failing_post_start_hook_restarts_the_container(node: Node) -> None:
    hook = {"postStart": {"exec": {"command": ["false"]}}}
    node.run(pod(shell("trap 'exit 0' TERM; while :; do sleep 0.05; done", lifecycle=hook)))
    await node.until(lambda obj: state(obj)["restartCount"] == 1)
    assert node.events("FailedPostStartHook")


WILDCARD = "import http.server as h; h.HTTPServer(('0.0.0.0', {port}), h.BaseHTTPRequestHandler).serve_forever()"


async def test_a_server_on_every_address_is_named(node: Node) -> None:
    with socket.socket() as free:
        free.bind(("0.0.0.0", 0))  # on every address of this machine, as the server will
        port = free.getsockname()[1]
    probe = {"tcpSocket": {"port": port}, "periodSeconds": 1}
    node.run(pod(container(command=["python3", "-c", WILDCARD.format(port=port)], readinessProbe=probe)))
    await node.until(ready)
    [event] = node.events("WildcardListener")
    assert f"0.0.0.0:{port}" in event["message"]
    assert "$POD_IP" in event["message"]


async def test_a_server_on_its_own_address_is_not(node: Node) -> None:
    node.run(pod(serving()))
    await node.until(ready)
    assert node.events("WildcardListener") == []
