"""What of a chart the embedded cluster cannot run is said before anything is deployed."""

import shutil
import tarfile
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
