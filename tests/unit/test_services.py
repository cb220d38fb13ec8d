"""The port of a pod to which a Service leads, and what is said of one that leads nowhere."""

import pytest

from seatrial.contract.services import target_port
from seatrial.errors import InputError

METRICS_FIRST = {
    "containers": [
        {"name": "server", "ports": [{"name": "metrics", "containerPort": 9090}, {"name": "http", "containerPort": 80}]}
    ]
}
SILENT = {"containers": [{"name": "server"}]}
SIDECAR = {
    "containers": [{"name": "server"}],
    "initContainers": [
        {"name": "migrate", "ports": [{"name": "http", "containerPort": 1}]},
        {"name": "proxy", "restartPolicy": "Always", "ports": [{"name": "http", "containerPort": 15001}]},
    ],
}


def service(*ports):
    return {"kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": list(ports)}}


@pytest.mark.parametrize(
    ("port", "pod", "leads_to"),
    [
        ({"port": 8080, "targetPort": "http"}, METRICS_FIRST, 80),
        ({"port": 8080, "targetPort": 80}, METRICS_FIRST, 80),
        ({"port": 8080, "targetPort": 7000}, METRICS_FIRST, 7000),  # a containerPort is informational
        ({"port": 8080}, SILENT, 8080),
        ({"port": 8080, "targetPort": "http"}, SIDECAR, 15001),  # an init container that ends has no port
    ],
)
def test_a_service_leads_to_its_target_port(port, pod, leads_to):
    assert target_port(service({"port": 9090, "targetPort": "metrics"}, port), 8080, pod) == leads_to


def test_a_datagram_port_of_the_same_number_is_another():
    both = service({"port": 8080, "protocol": "UDP", "targetPort": 53}, {"port": 8080, "targetPort": 80})
    assert target_port(both, 8080, SILENT) == 80


def test_a_port_that_the_service_lacks_is_said_with_those_it_has():
    with pytest.raises(InputError, match="Service web: expected port 8080, found 80, 9090; correct"):
        target_port(service({"port": 80}, {"port": 9090}), 8080, SILENT)


def test_a_name_that_no_container_declares_is_said_with_those_there_are():
    with pytest.raises(InputError, match="a port named 'grpc', to which it leads, found metrics, http; correct its"):
        target_port(service({"port": 8080, "targetPort": "grpc"}), 8080, METRICS_FIRST)
