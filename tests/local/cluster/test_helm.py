"""Helm installs, upgrades, rolls back and uninstalls, and waits for what it should wait for."""

import urllib.request
from pathlib import Path

import pytest
from workloads import eventually

from seatrial import charts

pytestmark = pytest.mark.local

WAITING = {"wait": True, "timeout_s": 60.0}
CHART = Path(__file__).parent / "chart"


@pytest.fixture
def release(namespace):
    """The arguments that name one release."""
    return {"release": "web", "target": charts.Target(namespace.cluster.kubeconfig(), None, namespace.name)}


def greets(namespace, greeting):
    address = namespace.core.read_namespaced_service("web", namespace.name).spec.cluster_ip
    try:
        with urllib.request.urlopen(f"http://{address}:8080/", timeout=5) as answer:
            return answer.read().decode() == greeting
    except OSError:  # as on any cluster: a pod that has just ended is still an endpoint for a moment
        return False


def smoke_log(namespace):
    (pod,) = namespace.pods(**{"job-name": "web-smoke"})
    return namespace.core.read_namespaced_pod_log(pod.metadata.name, namespace.name)


def test_a_release_lives_from_install_to_uninstall(namespace, release):
    charts.install(CHART, values={}, **release, **WAITING)
    assert len(namespace.pods(app="web")) == 2
    eventually(lambda: greets(namespace, "hello"))
    assert smoke_log(namespace).strip() == "hello"
    assert namespace.pods(**{"job-name": "web-migration"}) == []
    (claim,) = namespace.core.list_namespaced_persistent_volume_claim(namespace.name).items
    assert claim.status.phase == "Bound"

    charts.upgrade(CHART, values={"greeting": "ahoy"}, **release, **WAITING)
    eventually(lambda: greets(namespace, "ahoy"))
    charts.rollback(revision=1, **release, **WAITING)
    eventually(lambda: greets(namespace, "hello"))
    assert [found.revision for found in charts.history(**release)] == [1, 2, 3]

    charts.uninstall(**release, **WAITING)
    assert namespace.apps.list_namespaced_deployment(namespace.name).items == []


def test_a_failing_hook_fails_the_install(release):
    with pytest.raises(charts.ReleaseFailed, match="web"):
        charts.install(CHART, values={"migration": "raise SystemExit(1)"}, **release, **WAITING)
