"""Whether a 2xx of a container's readiness probe makes its pod Ready."""

import pytest

from seatrial.trials.workload import deciding_readiness

ASKED = {"httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"}}
SERVER = {"name": "server", "readinessProbe": {**ASKED, "periodSeconds": 1}}
PROXY = {"name": "proxy", "readinessProbe": {"httpGet": {"path": "/ping", "port": 4180, "scheme": "HTTP"}}}


def spec(*containers, **more):
    return {"containers": list(containers), **more}


@pytest.mark.parametrize(
    "pod",
    [
        spec(SERVER),
        spec(SERVER, {"name": "exporter"}),
        spec(SERVER, initContainers=[{"name": "fetch"}, {"name": "logs", "restartPolicy": "Always"}]),
        spec({**SERVER, "startupProbe": {**ASKED, "failureThreshold": 60}}),
        spec({**SERVER, "livenessProbe": PROXY["readinessProbe"]}, {"name": "exporter", "livenessProbe": ASKED}),
    ],
)
def test_it_does_where_the_pod_waits_for_nothing_else(pod):
    found = deciding_readiness(pod, "server")
    assert found is not None
    assert (found.path, found.port) == ("/ready", 8080)


@pytest.mark.parametrize(
    "pod",
    [
        spec(PROXY, SERVER),
        spec(SERVER, {"name": "engine", "startupProbe": {"tcpSocket": {"port": 9000}}}),
        spec(SERVER, initContainers=[{**PROXY, "restartPolicy": "Always"}]),
        spec(SERVER, readinessGates=[{"conditionType": "target-health.example.com/web"}]),
        spec({**SERVER, "startupProbe": {"httpGet": {"path": "/started", "port": 8080, "scheme": "HTTP"}}}),
        spec({**SERVER, "startupProbe": {"exec": {"command": ["test", "-e", "/tmp/model"]}}}),
    ],
)
def test_it_does_not_where_the_pod_waits_for_more(pod):
    assert deciding_readiness(pod, "server") is None


@pytest.mark.parametrize("asked", [{"tcpSocket": {"port": 8080}}, {"grpc": {"port": 8080}}, None])
def test_there_is_none_where_readiness_is_not_asked_over_http(asked):
    assert deciding_readiness(spec({"name": "server", "readinessProbe": asked}), "server") is None
