"""The clients themselves: kubectl, Helm 3, Helm 4 through its SDK, and the official Python client."""

import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import yaml
from api_manifests import config_map, deployment, service
from kubernetes import client, config, dynamic, watch

from tests.helpers.programs import needs

pytestmark = pytest.mark.local


@pytest.fixture
def run(kubeconfig, local, tmp_path):
    """A command line client in a namespace of its own."""
    environment = {
        **os.environ,
        "KUBECONFIG": str(kubeconfig),
        "HOME": str(tmp_path),
        "HELM_NAMESPACE": local.namespace,
    }

    def call(*command, stdin="", fails=False):
        if command[0] == "kubectl":
            command = (*command, "--namespace", local.namespace)
        done = subprocess.run(command, input=stdin, env=environment, capture_output=True, text=True, timeout=60)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    return call


@needs("kubectl")
class TestKubectl:
    def test_apply_again_and_again(self, run, local):
        manifests = yaml.safe_dump_all([deployment(), service(), config_map(a="1")])
        assert run("kubectl", "apply", "-f", "-", stdin=manifests).count("created") == 3
        assert run("kubectl", "apply", "-f", "-", stdin=manifests).count("unchanged") == 3
        changed = yaml.safe_dump_all([deployment(container={"image": "web:2"})])
        assert run("kubectl", "apply", "-f", "-", stdin=changed) == "deployment.apps/web configured\n"
        [container] = local.get("deployments", "web")["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "web:2"

    def test_apply_on_the_server(self, run):
        manifest = yaml.safe_dump(deployment())
        assert run("kubectl", "apply", "--server-side", "-f", "-", stdin=manifest).endswith("serverside-applied\n")
        run("kubectl", "scale", "deployment/web", "--replicas=3")
        refused = run(
            "kubectl", "apply", "--server-side", "--field-manager=helm", "-f", "-", stdin=manifest, fails=True
        )
        assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in refused

    def test_create_speaks_protobuf(self, run, local):
        run("kubectl", "create", "configmap", "settings", "--from-literal=a=1")
        run("kubectl", "create", "secret", "generic", "password", "--from-literal=a=b")
        run("kubectl", "create", "deployment", "web", "--image=web:1", "--replicas=2")
        run("kubectl", "create", "job", "once", "--image=job:1")
        run("kubectl", "create", "service", "clusterip", "web", "--tcp=80:http")
        assert local.get("configmaps", "settings")["data"] == {"a": "1"}
        assert local.get("secrets", "password")["data"] == {"a": "Yg=="}
        assert local.get("deployments", "web")["spec"]["replicas"] == 2
        assert local.get("services", "web")["spec"]["ports"][0]["targetPort"] == "http"

    @pytest.mark.parametrize(
        ("type_", "patch"),
        [
            ("strategic", '{"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}'),
            ("merge", '{"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}'),
            ("json", '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}]'),
        ],
    )
    def test_patch(self, run, local, type_, patch):
        local.create(deployment())
        assert (
            run("kubectl", "patch", "deployment", "web", f"--type={type_}", "-p", patch)
            == "deployment.apps/web patched\n"
        )

    def test_get_prints_tables(self, run, local):
        local.create(deployment(replicas=2))
        header, row = run("kubectl", "get", "deployments", "-o", "wide").splitlines()
        assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
        assert row.split()[:4] == ["web", "0/2", "0", "0"]
        assert row.split()[5:] == ["web", "web:1", "app=web"]

    def test_wait_follows_a_watch(self, run, local):
        local.create(deployment())
        available = {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
        threading.Timer(0.5, lambda: local.patch("deployments", "web", "merge", available, "status")).start()
        assert "condition met" in run("kubectl", "wait", "--for=condition=Available", "deployment/web", "--timeout=20s")

    def test_delete_waits_until_it_is_gone(self, run, local):
        local.create(config_map())
        assert 'configmap "settings" deleted' in run("kubectl", "delete", "configmap", "settings", "--timeout=20s")

    def test_label_and_annotate(self, run, local):
        local.create(config_map())
        run("kubectl", "label", "configmap", "settings", "tier=web")
        run("kubectl", "annotate", "configmap", "settings", "a.io/b=c")
        metadata = local.get("configmaps", "settings")["metadata"]
        assert (metadata["labels"], metadata["annotations"]) == ({"tier": "web"}, {"a.io/b": "c"})

    def test_explain_knows_the_types(self, run):
        assert "replicas <integer>" in run("kubectl", "explain", "deployment.spec.replicas")

    def test_may_do_everything(self, run):
        assert run("kubectl", "auth", "can-i", "create", "pods") == "yes\n"

    def test_unknown_fields_are_refused(self, run):
        manifest = yaml.safe_dump({**config_map(), "dat": {}})
        assert 'unknown field "dat"' in run("kubectl", "apply", "-f", "-", stdin=manifest, fails=True)


@pytest.fixture
def chart(tmp_path):
    """A chart of a Deployment, a Service and a Secret."""
    folder = tmp_path / "chart"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 0.1.0\n")
    (folder / "values.yaml").write_text("replicas: 2\n")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": {"a": "b"}}
    manifests = yaml.safe_dump_all([deployment(replicas="REPLICAS"), service(), secret])
    (folder / "templates" / "all.yaml").write_text(manifests.replace("REPLICAS", "{{ .Values.replicas }}"))
    return folder


@needs("helm")
def test_helm_3_from_install_to_uninstall(run, local, chart):
    run("helm", "install", "web", str(chart))
    run("helm", "upgrade", "web", str(chart), "--set", "replicas=3")
    assert local.get("deployments", "web")["spec"]["replicas"] == 3
    run("helm", "rollback", "web", "1")
    assert local.get("deployments", "web")["spec"]["replicas"] == 2
    assert run("helm", "history", "web").count("\n") == 4
    run("helm", "uninstall", "web")
    assert local.get("deployments")["items"] == local.get("secrets")["items"] == []


HELM_4 = """
    import sys
    import helm_python
    kubeconfig, namespace, chart = sys.argv[1:]
    with helm_python.Config(kubeconfig_path=kubeconfig, namespace=namespace) as cluster:
        cluster.install(chart, "web", {"replicas": 2})
        cluster.upgrade(chart, "web", {"replicas": 3})
        cluster.rollback("web")
        print([found["revision"] for found in cluster.history("web")])
        cluster.uninstall("web")
"""


def test_helm_4_from_install_to_uninstall(run, local, chart, kubeconfig):
    """In a process of its own: its Go runtime and a fork do not go together."""
    script = [sys.executable, "-c", textwrap.dedent(HELM_4), str(kubeconfig), local.namespace, str(chart)]
    assert run(*script) == "[1, 2, 3]\n"
    assert local.get("deployments")["items"] == local.get("secrets")["items"] == []


class TestPythonClient:
    @pytest.fixture
    def api_client(self, kubeconfig):
        with config.new_client_from_config(str(kubeconfig)) as made:
            yield made

    def test_typed(self, api_client, local):
        apps = client.AppsV1Api(api_client)
        made = apps.create_namespaced_deployment(local.namespace, deployment())
        made.spec.replicas = 3
        replaced = apps.replace_namespaced_deployment("web", local.namespace, made)
        assert (replaced.spec.replicas, replaced.metadata.generation) == (3, 2)
        assert apps.read_namespaced_deployment_scale("web", local.namespace).spec.replicas == 3
        apps.delete_namespaced_deployment("web", local.namespace)
        assert apps.list_namespaced_deployment(local.namespace).items == []

    def test_dynamic(self, api_client, local):
        config_maps = dynamic.DynamicClient(api_client).resources.get(api_version="v1", kind="ConfigMap")
        config_maps.server_side_apply(
            body=config_map(a="1"), name="settings", namespace=local.namespace, field_manager="test"
        )
        assert config_maps.get(name="settings", namespace=local.namespace).data.a == "1"

    def test_watch(self, api_client, local):
        core = client.CoreV1Api(api_client)
        made = []

        def create():
            for name in ("a", "b"):
                local.create(config_map(name))
                made.append(time.monotonic())

        threading.Timer(0.3, create).start()
        names = []
        for event in watch.Watch().stream(core.list_namespaced_config_map, local.namespace, timeout_seconds=20):
            names.append((event["type"], event["object"].metadata.name))
            if len(names) == 2:
                break
        assert names == [("ADDED", "a"), ("ADDED", "b")]

    def test_version(self, api_client):
        assert client.VersionApi(api_client).get_code().git_version.endswith("+seatrial")
