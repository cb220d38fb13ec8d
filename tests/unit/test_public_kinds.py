"""Charts of the kinds that people publish are read, and refused where no trial could be made of them.

`tests/local/test_public_kinds_deployed.py` puts three of them on trial.
"""

import pytest
from click.testing import CliRunner

from seatrial.cli.lint import lint
from seatrial.clusters.kind import KindCluster
from seatrial.clusters.local.cluster import LocalCluster
from seatrial.errors import InputError
from seatrial.observation import Workload
from seatrial.suite.opening import refuse_what_the_cluster_lacks
from seatrial.suite.subject import read_subject
from tests.helpers.public_kinds import NAMES, unpacked

# What is under load, as the contract is read.
READ = {
    "autoscaled": Workload("Deployment", "subject", service="subject"),
    "behind_a_proxy": Workload("Deployment", "subject", service="subject"),
    "custom_resources": Workload("", "", {"serving.acme.dev/service": "sklearn"}, "sklearn-predictor"),
    "gateway_and_database": Workload("Deployment", "subject", service="subject"),
    "generated_key": Workload("Deployment", "subject-generated-key", service="subject-generated-key"),
    "group_with_a_leader": Workload(
        "", "", {"app": "engine", "apps.kubernetes.io/pod-index": "0"}, service="subject-leader"
    ),
    "grpc_ready": Workload("Deployment", "subject", service="subject"),
    "made_by_a_job": Workload("", "", {"experiment": "churn"}, "scorer"),
    "no_replicas": Workload("Deployment", "model-server", service="model-server"),
    "observed": Workload("Deployment", "subject", service="subject"),
    "on_gpus": Workload("Deployment", "subject", service="subject"),
    "router_and_engines": Workload("Deployment", "subject-deployment-router", service="subject-router-service"),
    "rolled_out_in_steps": Workload("", "", {"app": "server"}, service="subject-stable"),
    "stateful_store": Workload("StatefulSet", "subject", service="subject"),
    "tcp_ready": Workload("Deployment", "subject", service="subject"),
    "umbrella": Workload("Deployment", "embedder", service="embedder"),
}
# What the embedded cluster lacks of them.
LACKING = {
    "custom_resources": (
        "InferenceService sklearn, of serving.acme.dev/v1beta1",
        "CustomResourceDefinition inferenceservices.serving.acme.dev, of apiextensions.k8s.io/v1",
    ),
    "grpc_ready": ("Deployment subject, container triton: a readinessProbe over gRPC",),
    "on_gpus": (
        "Deployment subject: the RuntimeClass nvidia",
        "Insufficient nvidia.com/gpu",
        "node affinity/selector",
        "Deployment subject, volume models: one of kind csi",
    ),
    "rolled_out_in_steps": ("Rollout subject, of argoproj.io/v1alpha1, which it does not serve",),
}
REFUSED = {
    "on_every_node": "expected one Deployment to put on trial, found 0; render one, or say under `workloads`",
    "unbuilt_umbrella": r"expected its dependencies in charts/, found none for server; run: ",
}


def test_each_kind_is_either_read_or_refused():
    assert sorted([*READ, *REFUSED]) == NAMES
    assert len(READ) >= 12


@pytest.mark.parametrize("name", READ)
def test_a_chart_of_a_public_kind_is_read(name, tmp_path):
    chart = unpacked(name, tmp_path)
    assert read_subject(chart).workload == READ[name]
    done = CliRunner().invoke(lint, [str(chart)], standalone_mode=False, catch_exceptions=False)
    assert (done.return_value, done.stderr) == (0, "")
    assert f"{chart}/contract.yaml and {chart.name} fit each other" in done.stdout
    assert all(phrase in done.stdout for phrase in LACKING.get(name, ()))


@pytest.mark.parametrize("name", READ)
def test_what_the_embedded_cluster_lacks_of_it_is_all_said_and_nothing_else(name, tmp_path):
    subject = read_subject(unpacked(name, tmp_path))
    refuse_what_the_cluster_lacks(subject, KindCluster())
    if name not in LACKING:
        refuse_what_the_cluster_lacks(subject, LocalCluster())
        return
    with pytest.raises(InputError) as refused:
        refuse_what_the_cluster_lacks(subject, LocalCluster())
    assert all(phrase in str(refused.value) for phrase in LACKING[name])
    assert str(refused.value).endswith("or put it on trial with --cluster kind")


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_trial_could_be_made_of_is_refused_with_what_to_do(name, tmp_path):
    with pytest.raises(InputError, match=REFUSED[name]):
        read_subject(unpacked(name, tmp_path))


def test_the_autoscaler_has_the_version_that_the_cluster_serves(tmp_path):
    manifests = read_subject(unpacked("autoscaled", tmp_path)).manifests
    assert {m["kind"]: m["apiVersion"] for m in manifests}["HorizontalPodAutoscaler"] == "autoscaling/v2"


def test_a_list_of_engines_has_a_deployment_each(tmp_path):
    subject = read_subject(unpacked("router_and_engines", tmp_path))
    names = [manifest["metadata"]["name"] for manifest in subject.manifests if manifest["kind"] == "Deployment"]
    assert names == ["subject-deployment-router", "subject-llama-engine", "subject-qwen-engine"]
    assert subject.workloads["llama"] == Workload(
        "Deployment", "subject-llama-engine", service="subject-llama-engine-service"
    )
