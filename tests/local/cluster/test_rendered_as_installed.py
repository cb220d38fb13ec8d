"""What is judged before a deployment is what is installed: templates see the same cluster both times."""

import re
import shutil
from pathlib import Path

import pytest

from seatrial import charts
from seatrial.clusters.local.capabilities import local_capabilities
from seatrial.suite.subject import read_subject

pytestmark = pytest.mark.local

GREETER = Path(__file__).parents[3] / "examples" / "greeter"
FACTS = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: facts}
data:
  kube: {{ .Capabilities.KubeVersion.Version }}
  hpa: {{ .Capabilities.APIVersions.Has "autoscaling/v2/HorizontalPodAutoscaler" | quote }}
  pdb: {{ .Capabilities.APIVersions.Has "policy/v1/PodDisruptionBudget" | quote }}
  cron: {{ .Capabilities.APIVersions.Has "batch/v1/CronJob" | quote }}
  definitions: {{ .Capabilities.APIVersions.Has "apiextensions.k8s.io/v1" | quote }}
  old: {{ .Capabilities.APIVersions.Has "policy/v1beta1" | quote }}
  namespace: {{ (lookup "v1" "Namespace" "" "default" | default dict).kind | default "none" }}
"""


@pytest.fixture
def chart(tmp_path):
    copy = Path(shutil.copytree(GREETER, tmp_path / "greeter"))
    with (copy / "templates" / "greeter.yaml").open("a") as template:
        template.write(FACTS)
    return copy


def facts_in(manifests):
    return next(manifest["data"] for manifest in manifests if manifest["metadata"]["name"] == "facts")


def groups_of(capabilities):
    return {name for name in capabilities.api_versions if re.fullmatch(r"(.*/)?v\d\w*", name)}


def test_a_subject_on_a_cluster_is_what_helm_installs_there(cluster, namespace, chart):
    subject = read_subject(chart).on(cluster)
    target = charts.Target(cluster.kubeconfig(), None, namespace.name)
    charts.install(chart, release="subject", target=target, values={"replicaCount": 0}, timeout_s=60, wait=False)
    installed = namespace.core.read_namespaced_config_map("facts", namespace.name).data
    assert facts_in(subject.manifests) == installed
    assert (installed["hpa"], installed["definitions"], installed["namespace"]) == ("true", "false", "Namespace")


def test_what_is_known_of_it_before_it_is_up_is_what_it_says(cluster, chart):
    there = read_subject(chart).on(cluster).capabilities
    known = local_capabilities()
    assert known.kubernetes == there.kubernetes
    assert {*known.api_versions} <= {*there.api_versions}
    assert groups_of(known) == groups_of(there)
