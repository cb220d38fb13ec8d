"""What of a chart the embedded cluster cannot run is said before anything is deployed."""

import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from seatrial import charts
from seatrial.clusters.kind import KindCluster
from seatrial.clusters.local.cluster import LocalCluster
from seatrial.clusters.local.lacks import lacks
from seatrial.errors import InputError
from seatrial.suite.opening import refuse_what_the_cluster_lacks
from seatrial.suite.subject import read_subject

REPOSITORY = Path(__file__).parents[3]
MONITOR = """
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: subject}
spec: {}
"""
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: adapters.acme.dev}
spec: {}
"""


def serving(kind="Deployment", **probes):
    pod = {"containers": [{"name": "server", **probes}]}
    spec = pod if kind == "Pod" else {"template": {"spec": pod}}
    return {"apiVersion": "v1" if kind == "Pod" else "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Pod"])
def test_a_probe_over_grpc_is_named_with_its_container(kind):
    http = {"livenessProbe": {"httpGet": {"path": "/", "port": 80}}}
    assert lacks([serving(kind, **http)]) == []
    assert lacks([serving(kind, readinessProbe={"grpc": {"port": 9000}}, **http)]) == [
        f"{kind} web, container server: a readinessProbe over gRPC, which it does not make"
    ]


APART = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}
        ]
    }
}
OVER_ZONES = [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}]
DOES_NOT_TAKE = "Deployment web: pods that its one node does not take "


def running(kind="Deployment", name="web", replicas=1, containers=({"name": "server"},), **pod):
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [*containers], **pod}}
    spec = {"replicas": replicas, "template": template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        ({"runtimeClassName": "nvidia"}, "Deployment web: the RuntimeClass nvidia, which it does not have"),
        (
            {"schedulerName": "volcano"},
            "Deployment web: pods that wait for the scheduler volcano, which it does not have",
        ),
        (
            {"containers": [{"name": "server", "resources": {"limits": {"nvidia.com/gpu": 1}}}]},
            f"{DOES_NOT_TAKE}(1 Insufficient nvidia.com/gpu)",
        ),
        (
            {"nodeSelector": {"gpu": "a100"}},
            f"{DOES_NOT_TAKE}(1 node(s) didn't match Pod's node affinity/selector)",
        ),
        (
            {"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one"}]},
            f'{DOES_NOT_TAKE}(resource claim "gpu" not found)',
        ),
        (
            {"topologySpreadConstraints": OVER_ZONES},
            f"{DOES_NOT_TAKE}(1 node(s) didn't match pod topology spread constraints (missing required label))",
        ),
        (
            {"volumes": [{"name": "models", "csi": {"driver": "gcsfuse.csi.storage.gke.io"}}]},
            "Deployment web, volume models: one of kind csi, which it does not have",
        ),
        (
            {"volumes": [{"name": "dev", "hostPath": {"path": "/dev/null", "type": "Socket"}}]},
            "Deployment web, volume dev: /dev/null is no socket of this machine, where it makes none",
        ),
    ],
)
def test_what_keeps_pods_from_running_is_said(pod, said):
    assert lacks([running(**pod)]) == [said]


def test_what_a_pod_may_have_anywhere_is_not_said():
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/dev/null", "type": "CharDevice"}}]
    resources = {"requests": {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "1Gi"}}
    containers = [{"name": "server", "resources": resources}]
    assert lacks([running(volumes=volumes, containers=containers, schedulerName="default-scheduler")]) == []


def test_pods_that_must_be_apart_need_a_node_each():
    apart = f"{DOES_NOT_TAKE}(1 node(s) didn't match pod anti-affinity rules"
    assert lacks([running(affinity=APART)]) == []
    (alone,) = lacks([running(affinity=APART, replicas=2)])
    assert alone.startswith(apart)
    first, second = lacks([running(name="cache", affinity=APART), running()])
    assert first.startswith("Deployment cache: pods that its one node does not take")
    assert second.startswith(DOES_NOT_TAKE)


@pytest.mark.parametrize("kind", ["DaemonSet", "CronJob"])
def test_of_kinds_that_get_no_pods_none_is_looked_at(kind):
    assert not [said for said in lacks([running(kind, runtimeClassName="nvidia")]) if "nvidia" in said]


@pytest.mark.parametrize("spec", [None, [], {"template": None}, {"template": {"spec": {"containers": 3}}}])
def test_what_is_malformed_is_left_to_the_api(spec):
    assert lacks([{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}]) == []
    assert lacks([running(containers=[{"resources": {"limits": {"cpu": "much"}}}])]) == []


def test_a_kind_that_is_not_served_is_named_with_its_group():
    assert lacks(charts.read_manifests(MONITOR, Path("x"))) == [
        "ServiceMonitor subject, of monitoring.coreos.com/v1, which it does not serve"
    ]


@pytest.mark.parametrize("name", ["charts/openmed-service", "examples/greeter", "examples/storyteller"])
def test_the_charts_of_this_project_lack_nothing(name):
    refuse_what_the_cluster_lacks(read_subject(REPOSITORY / name), LocalCluster())


@pytest.fixture
def chart(tmp_path):
    return Path(shutil.copytree(REPOSITORY / "examples" / "greeter", tmp_path / "greeter"))


def test_templates_of_a_folder_called_crds_are_templates(chart):
    """Helm installs what lies in the chart's own `crds/` as it is; below `templates/` any name is one of templates."""
    (chart / "templates" / "crds").mkdir()
    (chart / "templates" / "crds" / "adapter.yaml").write_text("{{- if .Values.crds }}\n" + DEFINITION + "{{- end }}\n")
    assert charts.crds(chart) == []
    refuse_what_the_cluster_lacks(read_subject(chart), LocalCluster())


def test_definitions_of_a_packed_subchart_are_found(chart, tmp_path):
    packed = tmp_path / "acme"
    (packed / "crds").mkdir(parents=True)
    (packed / "Chart.yaml").write_text("apiVersion: v2\nname: acme\nversion: 0.1.0\n")
    (packed / "crds" / "adapter.yaml").write_text(DEFINITION)
    (chart / "charts").mkdir()
    with tarfile.open(chart / "charts" / "acme-0.1.0.tgz", "w:gz") as archive:
        archive.add(packed, "acme")
    assert [found["metadata"]["name"] for found in charts.crds(chart)] == ["adapters.acme.dev"]


def test_everything_that_is_lacking_is_said_at_once_with_what_to_do(chart):
    (chart / "templates" / "monitor.yaml").write_text(MONITOR)
    (chart / "charts" / "acme" / "crds").mkdir(parents=True)
    (chart / "charts" / "acme" / "Chart.yaml").write_text("apiVersion: v2\nname: acme\nversion: 0.1.0\n")
    (chart / "charts" / "acme" / "crds" / "adapter.yaml").write_text(DEFINITION)
    subject = read_subject(chart)
    with pytest.raises(InputError) as refused:
        refuse_what_the_cluster_lacks(subject, LocalCluster())
    said = str(refused.value)
    assert "ServiceMonitor subject, of monitoring.coreos.com/v1" in said
    assert "CustomResourceDefinition adapters.acme.dev, of apiextensions.k8s.io/v1" in said
    assert said.endswith("switch them off under `values` in the contract, or put it on trial with --cluster kind")
    refuse_what_the_cluster_lacks(subject, KindCluster())


def test_the_subject_is_looked_at_with_as_many_pods_as_trials_install(chart):
    template = chart / "templates" / "greeter.yaml"
    apart = json.dumps(APART).replace('"web"', '"subject"')
    template.write_text(template.read_text().replace("    spec:\n", f"    spec:\n      affinity: {apart}\n"))
    with pytest.raises(InputError, match="Deployment subject: pods that its one node does not take"):
        refuse_what_the_cluster_lacks(read_subject(chart), LocalCluster())


def up(subject, *api_versions):
    known = ("v1/Service", "v1/ConfigMap", "apps/v1/Deployment", *api_versions)
    return replace(subject, capabilities=charts.Capabilities("v1.34.0", known, Path("kubeconfig")))


def test_of_a_cluster_that_is_up_its_kinds_are_known(chart):
    (chart / "templates" / "monitor.yaml").write_text(MONITOR)
    subject = read_subject(chart)
    with pytest.raises(InputError) as refused:
        refuse_what_the_cluster_lacks(up(subject), KindCluster())
    assert "found ServiceMonitor subject, of monitoring.coreos.com/v1, which it does not serve; " in str(refused.value)
    assert str(refused.value).endswith("or install what defines them there")
    refuse_what_the_cluster_lacks(up(subject, "monitoring.coreos.com/v1/ServiceMonitor"), KindCluster())


def test_kinds_that_the_chart_defines_itself_are_known_too(chart):
    (chart / "templates" / "monitor.yaml").write_text(MONITOR)
    (chart / "crds").mkdir()
    names = "spec: {group: monitoring.coreos.com, names: {kind: ServiceMonitor}, versions: [{name: v1}]}"
    (chart / "crds" / "monitor.yaml").write_text(DEFINITION.replace("spec: {}", names))
    refuse_what_the_cluster_lacks(up(read_subject(chart)), KindCluster())
