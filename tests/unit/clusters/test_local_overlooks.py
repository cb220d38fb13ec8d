"""What the embedded cluster takes and does not heed is said before anything is deployed."""

import pytest
from click.testing import CliRunner

from seatrial.cli.lint import lint
from seatrial.clusters.kind import KindCluster
from seatrial.clusters.local.cluster import LocalCluster
from seatrial.clusters.local.overlooks import overlooks
from tests.helpers.public_kinds import unpacked


def named(kind, **spec):
    return {"kind": kind, "metadata": {"name": "web"}, "spec": spec}


def running(kind="Deployment", **container):
    return named(kind, template={"spec": {"containers": [{"name": "server", **container}]}})


def exec_probe(*command):
    return {"exec": {"command": [*command]}}


@pytest.mark.parametrize(
    ("kind", "effect"),
    [
        ("NetworkPolicy", "keeps nobody out"),
        ("Ingress", "leads nowhere"),
        ("DaemonSet", "gets no pods"),
        ("CronJob", "gets no pods"),
        ("Role", "forbids nothing: every account may do everything"),
    ],
)
def test_objects_without_an_effect(kind, effect):
    assert overlooks([named(kind)]) == [f"{kind} web {effect}"]
    assert overlooks([running(kind, resources={"limits": {"cpu": 1}})]) == [f"{kind} web {effect}"]


def test_limits_are_named_once_for_each_workload():
    limited = {"name": "a", "resources": {"limits": {"memory": "1Gi"}}}
    two = named("StatefulSet", template={"spec": {"containers": [limited, limited]}})
    assert overlooks([two]) == ["StatefulSet web: limits of CPU and memory hold nobody back"]
    assert overlooks([running(resources={"requests": {"memory": "1Gi"}})]) == []
    assert overlooks([running(resources="few", lifecycle=[], readinessProbe=3)]) == []


@pytest.mark.parametrize("asked", ["curl localhost:8080/ready", "wget http://127.0.0.1:8080", "nc -z [::1] 80"])
def test_commands_that_ask_the_machine_where_they_mean_the_pod(asked):
    said = "Deployment web: in container server its {} asks localhost, which is the machine's"
    assert overlooks([running(livenessProbe=exec_probe("sh", "-c", asked))]) == [said.format("livenessProbe")]
    hook = {"lifecycle": {"preStop": exec_probe("sh", "-c", asked)}}
    assert overlooks([running(**hook)]) == [said.format("preStop hook")]
    assert overlooks([running(readinessProbe=exec_probe("test", "-e", "/tmp/localhosts"))]) == []


@pytest.mark.parametrize(
    "given",
    [
        {"command": ["proxy", "--upstream", "http://localhost:8000"]},
        {"args": ["--upstream=http://127.0.0.1:8000"]},
        {"env": [{"name": "UPSTREAM", "value": "http://localhost:8000"}]},
    ],
)
def test_a_sidecar_that_is_told_to_ask_the_pod_itself(given):
    proxy, server = {"name": "proxy", **given}, {"name": "server"}
    said = [f"Deployment web: in container proxy localhost (in its {next(iter(given))}) is the machine's"]
    assert overlooks([named("Deployment", template={"spec": {"containers": [proxy, server]}})]) == said
    beside = {"initContainers": [{**proxy, "restartPolicy": "Always"}], "containers": [server]}
    assert overlooks([named("Deployment", template={"spec": beside})]) == said
    # Alone, a server only says where it listens, or whom it trusts.
    assert overlooks([running(**given)]) == []
    before = {"initContainers": [proxy], "containers": [server]}
    assert overlooks([named("Deployment", template={"spec": before})]) == []


def test_an_external_name_that_is_no_service_of_the_cluster():
    outside = named("Service", type="ExternalName", externalName="models.example.com")
    assert overlooks([outside]) == [
        "Service web does not lead to models.example.com, which is no Service of the cluster"
    ]
    assert overlooks([named("Service", type="ExternalName", externalName="store.bank.svc.cluster.local")]) == []
    assert overlooks([named("Service", ports=[{"port": 80}])]) == []


def test_lint_says_it_of_the_embedded_cluster(tmp_path):
    chart = unpacked("observed", tmp_path)
    done = CliRunner().invoke(lint, [str(chart)], standalone_mode=False, catch_exceptions=False)
    assert (
        "note     --cluster local takes and does not heed: Ingress subject leads nowhere; "
        "NetworkPolicy subject keeps nobody out\n"
    ) in done.stdout


def test_clusters_that_run_kubernetes_overlook_nothing():
    policy = [named("NetworkPolicy")]
    assert LocalCluster().overlooks(policy) == ["NetworkPolicy web keeps nobody out"]
    assert KindCluster().overlooks(policy) == []
