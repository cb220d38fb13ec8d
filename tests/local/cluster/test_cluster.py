"""The embedded cluster from outside: what a client of the Kubernetes API sees happen."""

import sys
import urllib.request

import pytest
from kubernetes import client, watch
from workloads import BURNER, IMAGE, deployment, eventually, service

from seatrial.clusters.local import LocalCluster
from seatrial.clusters.recipe import read_recipe
from seatrial.errors import ClusterError, InputError

pytestmark = pytest.mark.local


def available(namespace, replicas):
    def all_available():
        status = namespace.apps.read_namespaced_deployment("web", namespace.name).status
        return status.available_replicas == replicas == status.replicas

    return eventually(all_available)


def answer(address, port):
    with urllib.request.urlopen(f"http://{address}:{port}/", timeout=5) as answered:
        return answered.read().decode()


def is_refused(address, port):
    try:
        answer(address, port)
    except OSError as error:
        # A connection that was in the backlog when the last endpoint left is reset; the next ones are refused.
        return isinstance(getattr(error, "reason", None), ConnectionRefusedError)
    return False


def test_a_deployment_answers_through_the_address_of_its_service(namespace):
    namespace.create(deployment(3), service())
    available(namespace, 3)
    address = namespace.core.read_namespaced_service("web", namespace.name).spec.cluster_ip
    names = {pod.metadata.name for pod in namespace.pods(app="web")}
    eventually(lambda: namespace.endpoint_conditions() == [(True, True, False)] * 3)
    assert {answer(address, 8080) for _ in range(60)} == names
    namespace.apps.patch_namespaced_deployment_scale("web", namespace.name, {"spec": {"replicas": 0}})
    eventually(lambda: namespace.pods() == [] and namespace.endpoint_conditions() == [])
    eventually(lambda: is_refused(address, 8080))


def test_a_deleted_pod_leaves_its_service_serves_on_ends_and_is_replaced(namespace):
    namespace.create(deployment(1, drain_s=1.0), service())
    available(namespace, 1)
    eventually(lambda: namespace.endpoint_conditions() == [(True, True, False)])
    (pod,) = namespace.pods(app="web")
    version = namespace.core.list_namespaced_pod(namespace.name).metadata.resource_version
    namespace.core.delete_namespaced_pod(pod.metadata.name, namespace.name)

    # It serves while it drains, so it is still an endpoint, but no longer a ready one.
    eventually(lambda: (False, True, True) in namespace.endpoint_conditions())
    assert answer(pod.status.pod_ip, 8000) == pod.metadata.name
    seen = []
    for event in watch.Watch().stream(
        namespace.core.list_namespaced_pod, namespace.name, resource_version=version, timeout_seconds=20
    ):
        if event["object"].metadata.name == pod.metadata.name:
            seen.append((event["type"], event["object"].status.phase))
            if event["type"] == "DELETED":
                break
    assert seen[0] == ("MODIFIED", "Running")
    assert seen[-2:] == [("MODIFIED", "Succeeded"), ("DELETED", "Succeeded")]
    available(namespace, 1)
    eventually(lambda: namespace.endpoint_conditions() == [(True, True, False)])


def test_a_revision_that_cannot_start_leaves_the_old_one_serving_and_can_be_undone(namespace):
    namespace.create(deployment(2))
    available(namespace, 2)
    broken = {"name": "server", "image": "nobody/knows:this"}
    change = {"spec": {"progressDeadlineSeconds": 3, "template": {"spec": {"containers": [broken]}}}}
    namespace.apps.patch_namespaced_deployment("web", namespace.name, change)

    def progressing():
        conditions = namespace.apps.read_namespaced_deployment("web", namespace.name).status.conditions
        return {found.type: found.reason for found in conditions}["Progressing"]

    eventually(lambda: progressing() == "ProgressDeadlineExceeded")
    assert namespace.apps.read_namespaced_deployment("web", namespace.name).status.available_replicas == 2
    fixed = {"spec": {"template": {"spec": {"containers": [{"name": "server", "image": IMAGE}]}}}}
    namespace.apps.patch_namespaced_deployment("web", namespace.name, fixed)
    eventually(lambda: progressing() == "NewReplicaSetAvailable")
    revisions = namespace.apps.list_namespaced_replica_set(namespace.name).items
    assert sorted(found.spec.replicas for found in revisions) == [0, 2]


def test_an_eviction_beyond_the_budget_is_answered_429_with_its_cause(namespace):
    namespace.create(deployment(2))
    available(namespace, 2)
    policy = client.PolicyV1Api(namespace.api)
    budget = {"metadata": {"name": "web"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}
    policy.create_namespaced_pod_disruption_budget(namespace.name, budget)
    eventually(
        lambda: policy.read_namespaced_pod_disruption_budget("web", namespace.name).status.disruptions_allowed == 1
    )
    one, two = namespace.pods(app="web")

    def evict(pod):
        namespace.core.create_namespaced_pod_eviction(
            pod.metadata.name, namespace.name, {"metadata": {"name": pod.metadata.name}}
        )

    evict(one)
    with pytest.raises(client.ApiException, match="DisruptionBudget") as refused:
        evict(two)
    assert refused.value.status == 429
    available(namespace, 2)


@pytest.mark.timeout(180)
def test_a_busy_process_is_scaled_out_by_its_autoscaler(namespace):
    namespace.create(deployment(1, code=BURNER, probed=False, requests={"cpu": "100m"}))
    autoscaling = client.AutoscalingV2Api(namespace.api)
    target = {"type": "Utilization", "averageUtilization": 50}
    autoscaling.create_namespaced_horizontal_pod_autoscaler(
        namespace.name,
        {
            "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "maxReplicas": 2,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            },
        },
    )

    def read():
        return autoscaling.read_namespaced_horizontal_pod_autoscaler("web", namespace.name).status

    eventually(lambda: read().desired_replicas == 2, within_s=120)
    conditions = {found.type: found.status for found in read().conditions}
    assert conditions["ScalingActive"] == "True"
    assert read().current_metrics[0].resource.current.average_utilization > 50


def test_a_port_of_a_service_has_an_address_for_measured_traffic(namespace):
    namespace.create(service(port=8080))
    address = namespace.cluster.address(namespace.name, "web", 8080)
    assert (address.generator, address.choose_endpoints, address.port) == ("process", True, 8080)
    assert address.port_name == "http"
    with pytest.raises(InputError, match=r"expected port 9, found \[8080\]"):
        namespace.cluster.address(namespace.name, "web", 9)
    with pytest.raises(InputError, match='services "nothing" not found'):
        namespace.cluster.address(namespace.name, "nothing", 8080)


def test_an_image_that_no_process_stands_for_is_refused_with_advice(cluster):
    cluster.take_in(IMAGE, None)
    with pytest.raises(InputError, match="--process"):
        cluster.take_in("nobody/knows:this", None)


def test_an_image_that_is_taken_in_by_its_recipe_runs_as_that_process(namespace, tmp_path):
    """Also on a cluster that is up already, and under its own name only."""
    file = tmp_path / "shop.image.yaml"
    file.write_text('image: shop/api\nprocess: {command: ["{python}", -c, "print(1)", "{pod_ip}"]}\n')
    namespace.cluster.take_in("shop/api:7", read_recipe(file))
    spec = {"restartPolicy": "Never", "containers": [{"name": "api", "image": "shop/api:7"}]}
    namespace.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api"}, "spec": spec})

    def succeeded():
        found = namespace.core.read_namespaced_pod("api", namespace.name).status
        return found.phase == "Succeeded" and found

    (status,) = eventually(succeeded).container_statuses
    assert status.image_id == f"process named by {file}: {sys.executable} -c 'print(1)' '{{pod_ip}}'"
    with pytest.raises(InputError, match="found none"):
        namespace.cluster.take_in("shop/apis:7", None)


def test_a_cluster_that_is_down_says_so():
    with pytest.raises(ClusterError, match="call up"):
        LocalCluster().kubeconfig()


def test_a_pod_may_use_the_api_with_its_service_account(namespace):
    """Clients in pods build an https URL from the environment and take certificate and token from files."""
    code = (
        "from kubernetes import client, config; config.load_incluster_config(); "
        f"print(*[pod.metadata.name for pod in client.CoreV1Api().list_namespaced_pod({namespace.name!r}).items])"
    )
    container = {"name": "deployer", "image": IMAGE, "command": [sys.executable, "-c", code]}
    spec = {"containers": [container], "restartPolicy": "Never"}
    namespace.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "deployer"}, "spec": spec})
    eventually(lambda: namespace.pods()[0].status.phase == "Succeeded")
    assert namespace.core.read_namespaced_pod_log("deployer", namespace.name).strip() == "deployer"
