"""Attaching to a kind cluster that runs, and to the same one as an existing cluster."""

import subprocess
import uuid

import pytest
import yaml
from kubernetes import client
from semantics.kube import eventually

from seatrial.clusters.connection import connect
from seatrial.clusters.existing import ExistingCluster, missing_permissions
from seatrial.clusters.kind import KindCluster
from seatrial.errors import ClusterError, InputError

pytestmark = pytest.mark.kind


@pytest.fixture(scope="module")
def kind():
    cluster = KindCluster()
    try:
        cluster.attach()
    except ClusterError as error:
        pytest.skip(f"no kind cluster: {error}")
    yield cluster
    cluster.down()


@pytest.fixture(scope="module")
def api(kind):
    return connect(kind.kubeconfig(), kind.context)


@pytest.fixture
def namespace(api):
    core, name = client.CoreV1Api(api), f"cluster-{uuid.uuid4().hex[:8]}"
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    yield name
    core.delete_namespace(name)


def test_a_cluster_that_it_did_not_create_survives_down(kind):
    attached = KindCluster(kubeconfig=kind.kubeconfig())
    attached.up()
    attached.down()
    assert connect(kind.kubeconfig(), kind.context)


def test_a_cluster_that_does_not_run_cannot_be_attached_to():
    with pytest.raises(ClusterError, match="a running kind cluster named no-such-cluster, found none"):
        KindCluster("no-such-cluster").attach()


def test_kinds_own_export_is_used_where_there_is_no_kubeconfig(kind, tmp_path):
    attached = KindCluster(kubeconfig=tmp_path / "exported")
    attached.up()
    assert attached.versions() == kind.versions()


def test_a_kubeconfig_of_another_cluster_is_refused(kind):
    with pytest.raises(InputError, match="expected the context kind-other, found kind-seatrial"):
        KindCluster("other", kubeconfig=kind.kubeconfig()).up()


def test_an_image_that_docker_has_is_taken_in(kind):
    image = "python:3.11-slim-bookworm"
    kind.load_image(image)
    listed = ["docker", "exec", f"{kind.cluster}-worker", "ctr", "--namespace", "k8s.io", "images", "list", "--quiet"]
    assert f"docker.io/library/{image}" in subprocess.run(listed, capture_output=True, text=True).stdout.split()


def test_an_image_that_neither_docker_nor_a_recipe_has_is_left_to_the_nodes(kind):
    kind.take_in("no-such-image:1", None)
    listed = ["docker", "exec", f"{kind.cluster}-worker", "ctr", "--namespace", "k8s.io", "images", "list", "--quiet"]
    assert "no-such-image" not in subprocess.run(listed, capture_output=True, text=True).stdout


def test_an_image_that_docker_lacks_is_refused(kind):
    with pytest.raises(InputError, match="build or pull it first"):
        kind.load_image("no-such-image:1")


class TestAddress:
    @pytest.fixture
    def service(self, api, namespace):
        spec = client.V1ServiceSpec(selector={"app": "x"}, ports=[client.V1ServicePort(port=8080)])
        made = client.V1Service(metadata=client.V1ObjectMeta(name="gateway"), spec=spec)
        return client.CoreV1Api(api).create_namespaced_service(namespace, made)

    def test_it_is_the_cluster_ip_seen_by_a_generator_pod(self, kind, service):
        address = kind.address(service.metadata.namespace, "gateway", 8080)
        assert (address.host, address.port, address.generator) == (service.spec.cluster_ip, 8080, "pod")

    def test_a_port_that_the_service_lacks_is_refused(self, kind, service):
        with pytest.raises(InputError, match=r"expected port 80, found \[8080\]"):
            kind.address(service.metadata.namespace, "gateway", 80)

    def test_a_service_that_is_not_there_is_named(self, kind, namespace):
        with pytest.raises(ClusterError, match='"gateway" not found'):
            kind.address(namespace, "gateway", 80)


class TestPermissions:
    def test_an_administrator_lacks_none(self, kind):
        ExistingCluster(kubeconfig=kind.kubeconfig(), context=kind.context).up()

    def test_an_account_without_rights_is_told_what_is_missing(self, kind, api, namespace, tmp_path):
        kubeconfig = kubeconfig_of_account(kind, api, namespace, tmp_path / "config")
        with pytest.raises(InputError, match=r"missing: .*pods/eviction \(create\).*deployments\.apps \(create, "):
            ExistingCluster(kubeconfig=kubeconfig).up()

    def test_what_was_granted_is_not_missing(self, kind, api, namespace, tmp_path):
        kubeconfig = kubeconfig_of_account(kind, api, namespace, tmp_path / "config")
        before = missing_permissions(connect(kubeconfig, None))
        rbac = client.RbacAuthorizationV1Api(api)
        metadata = client.V1ObjectMeta(name=f"pods-{namespace}")
        rule = client.V1PolicyRule(api_groups=[""], resources=["pods"], verbs=["delete"])
        rbac.create_cluster_role(client.V1ClusterRole(metadata=metadata, rules=[rule]))
        try:
            rbac.create_cluster_role_binding(
                client.V1ClusterRoleBinding(
                    metadata=metadata,
                    role_ref=client.V1RoleRef(
                        api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=metadata.name
                    ),
                    subjects=[client.RbacV1Subject(kind="ServiceAccount", name="visitor", namespace=namespace)],
                )
            )
            # The API server's authorizer hears of a new binding a moment later.
            granted = eventually(lambda: set(before) - set(missing_permissions(connect(kubeconfig, None))))
            assert granted == {"delete pods"}
        finally:
            rbac.delete_cluster_role(metadata.name)
            rbac.delete_cluster_role_binding(metadata.name)


def kubeconfig_of_account(kind, api, namespace, file):
    """A kubeconfig for a new ServiceAccount without any rights."""
    account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="visitor"))
    client.CoreV1Api(api).create_namespaced_service_account(namespace, account)
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
    token = client.CoreV1Api(api).create_namespaced_service_account_token("visitor", namespace, request).status.token
    content = yaml.safe_load(kind.kubeconfig().read_text())
    content["users"] = [{"name": content["contexts"][0]["context"]["user"], "user": {"token": token}}]
    file.write_text(yaml.safe_dump(content))
    return file
