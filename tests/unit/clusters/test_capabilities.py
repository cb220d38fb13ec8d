"""What a cluster says of itself reaches the templates of a chart before anything is installed."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from seatrial import charts, helm
from seatrial.clusters.local.capabilities import local_capabilities
from seatrial.errors import ClusterError, InputError
from seatrial.helm import HelmRefused
from seatrial.suite.subject import read_subject
from seatrial.watch.capabilities import capabilities_of

DISCOVERY = {
    "/version": {"gitVersion": "v1.30.1+k3s1"},
    "/api": {"versions": ["v1"]},
    "/api/v1": {"resources": [{"kind": "Pod"}, {"kind": "Pod"}, {"kind": "Binding"}]},
    "/apis": {
        "groups": [
            {"versions": [{"groupVersion": "acme.dev/v1"}, {"groupVersion": "acme.dev/v1beta1"}]},
            {"versions": [{"groupVersion": "metrics.k8s.io/v1beta1"}]},
        ]
    },
    "/apis/acme.dev/v1": {"resources": [{"kind": "Adapter"}]},
    "/apis/acme.dev/v1beta1": {"resources": []},
}
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
HOOK = "apiVersion: v1\nkind: Pod\nmetadata: {name: hook, annotations: {helm.sh/hook: post-install}}\n"


def answer(path):
    if path not in DISCOVERY:
        raise ClusterError("503")
    return DISCOVERY[path]


def test_of_a_cluster_that_is_up_they_are_what_discovery_says():
    found = capabilities_of(SimpleNamespace(get=answer), Path("kubeconfig"), "west")
    assert found == charts.Capabilities(
        "v1.30.1+k3s1",
        ("v1", "v1/Binding", "v1/Pod", "acme.dev/v1", "acme.dev/v1/Adapter", "acme.dev/v1beta1"),
        Path("kubeconfig"),
        "west",
    )


def test_of_the_embedded_cluster_they_are_known_before_it_is_up():
    found = local_capabilities()
    assert found.kubernetes.startswith("v1.34.")
    assert {"v1", "v1/Pod", "apps/v1", "autoscaling/v2/HorizontalPodAutoscaler", "metrics.k8s.io/v1beta1"} <= {
        *found.api_versions
    }
    assert not any(name.startswith("apiextensions.k8s.io") for name in found.api_versions)


def rendered(monkeypatch, dry_run):
    asked = SimpleNamespace(render=lambda *_, **__: f"{CONFIG % 'offline'}---\n{HOOK}", dry_run=dry_run)
    monkeypatch.setattr(helm, "available", lambda: asked)
    there = charts.Capabilities("v1.30.1", (), Path("kubeconfig"))
    manifests = charts.render(Path("chart"), release="r", namespace="n", values={}, capabilities=there)
    return [manifest["metadata"]["name"] for manifest in manifests]


def test_a_cluster_that_is_up_is_asked_what_it_would_install(monkeypatch):
    assert rendered(monkeypatch, lambda *_, **__: CONFIG % "seen") == ["seen", "hook"]


def refusing(text):
    def dry_run(*_, **__):
        raise HelmRefused(text)

    return dry_run


def test_kinds_that_come_with_the_release_are_no_reason_to_refuse_it(monkeypatch):
    lacking = refusing(
        'resource mapping not found for name: "a": no matches for kind "Adapter" in version "acme.dev/v1"'
    )
    assert rendered(monkeypatch, lacking) == ["offline", "hook"]


@pytest.mark.parametrize(
    "said", ["Kubernetes cluster unreachable: connection refused", "install did not come to an end within 120 s"]
)
def test_a_cluster_that_does_not_answer_is_no_fault_of_the_chart(monkeypatch, said):
    with pytest.raises(ClusterError, match="expected the cluster to say what it would install"):
        rendered(monkeypatch, refusing(said))


def test_what_is_recorded_is_rendered_without_the_cluster(greeter):
    subject = read_subject(greeter)
    gone = replace(subject, capabilities=replace(subject.capabilities, kubeconfig=Path("/no/such/kubeconfig")))
    assert gone.rendered_offline(subject.contract.values) == list(subject.manifests)


def test_what_the_cluster_refuses_is_refused_before_anything_is_deployed(monkeypatch):
    with pytest.raises(InputError, match="helm says: chart requires kubeVersion"):
        rendered(monkeypatch, refusing("chart requires kubeVersion: >=1.32 which is incompatible"))
