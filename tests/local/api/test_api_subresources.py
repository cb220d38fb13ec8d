"""Logs, exec, eviction, binding and metrics: what the kubelet and the controllers say, in the API's form."""

import pytest
from api_manifests import deployment
from api_servers import Refused
from kubernetes import client, config
from kubernetes.stream import stream

pytestmark = pytest.mark.local


def pod(name="web-1", **spec):
    containers = [{"name": "web", "image": "web:1"}]
    full = {"nodeName": "node-1", "containers": containers, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": full}


TWO = [{"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}]


def logged(local, **parameters):
    answer = local.http.get(local.path("pods", "web-1", "log"), params=parameters)
    return answer.text if answer.status_code == 200 else answer.json()


class TestLog:
    def test_is_plain_text(self, local):
        local.create(pod())
        assert logged(local) == "web: one\nweb: two\nweb: three\n"

    def test_hands_its_options_on(self, local):
        local.create(pod())
        assert logged(local, tailLines="1", follow="true") == "web: three\n"

    def test_of_one_of_several_containers(self, local):
        local.create(pod(containers=TWO))
        assert logged(local, container="side", tailLines="1") == "side: three\n"

    def test_must_say_which_of_several(self, local):
        local.create(pod(containers=TWO))
        refused = logged(local)
        assert refused["code"] == 400
        assert refused["message"] == "a container name must be specified for pod web-1, choose one of: [web side]"

    def test_of_a_container_that_is_not_there(self, local):
        local.create(pod())
        assert logged(local, container="absent")["message"] == "container absent is not valid for pod web-1"

    def test_refusals_of_the_kubelet_are_answered(self, local):
        local.create(pod())
        assert logged(local, previous="true")["message"] == 'previous terminated container "web" not found'


class TestEviction:
    def evict(self, local, **options):
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web-1"}, **options}
        return local.http.post(local.path("pods", "web-1", "eviction"), json=eviction)

    @pytest.fixture
    def running(self, server, local):
        local.create(pod())
        local.patch("pods", "web-1", "merge", {"status": {"phase": "Running"}}, "status")
        yield
        server.hooks.refusal = None

    def test_deletes_the_pod(self, local, running):
        assert self.evict(local, deleteOptions={"gracePeriodSeconds": 5}).status_code == 201
        assert local.get("pods", "web-1")["metadata"]["deletionGracePeriodSeconds"] == 5

    def test_that_would_break_a_budget_is_to_be_tried_again(self, server, local, running):
        server.hooks.refusal = "The disruption budget web needs 1 healthy pods and has 1 currently"
        refused = self.evict(local)
        assert (refused.status_code, refused.json()["reason"]) == (429, "TooManyRequests")
        assert refused.json()["details"]["causes"][0]["message"] == server.hooks.refusal
        assert "deletionTimestamp" not in local.get("pods", "web-1")["metadata"]

    def test_of_a_pod_that_does_not_run_asks_no_budget(self, server, local, running):
        server.hooks.refusal = "no"
        local.patch("pods", "web-1", "merge", {"status": {"phase": "Pending"}}, "status")
        assert self.evict(local).status_code == 201


class TestBinding:
    def bind(self, local):
        binding = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "node-2"}}
        return local.http.post(local.path("pods", "web-1", "binding"), json=binding)

    def test_gives_a_pod_its_node(self, local):
        local.create(pod(nodeName=None))
        assert self.bind(local).status_code == 201
        assert local.get("pods", "web-1")["spec"]["nodeName"] == "node-2"

    def test_only_once(self, local):
        local.create(pod())
        assert self.bind(local).status_code == 409


class TestExec:
    @pytest.fixture
    def connect(self, local, kubeconfig):
        local.create(pod())
        core = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))

        def run(*command, **options):
            return stream(
                core.connect_get_namespaced_pod_exec,
                "web-1",
                local.namespace,
                command=list(command),
                stdout=True,
                stderr=True,
                _preload_content=False,
                **options,
            )

        return run

    def test_streams_output_and_exit_status(self, connect):
        running = connect("ls", "-l")
        running.run_forever(timeout=10)
        assert (running.read_stderr(), running.returncode) == ("ls -l", 7)

    def test_streams_input(self, connect):
        running = connect("cat", stdin=True)
        running.write_stdin("hello")
        running.update(timeout=10)
        assert running.read_stdout() == "hello"
        running.close()

    def test_needs_a_command(self, local):
        local.create(pod())
        assert local.http.get(local.path("pods", "web-1", "exec")).status_code == 400


def test_pods_report_what_they_use(local):
    local.create(pod())
    root = f"/apis/metrics.k8s.io/v1beta1/namespaces/{local.namespace}/pods"
    [found] = local.http.get(root).json()["items"]
    assert found["containers"] == [{"name": "main", "usage": {"cpu": "250000000n", "memory": "65536Ki"}}]
    assert (found["timestamp"], found["window"]) == ("2026-01-01T00:00:00Z", "15s")
    assert local.http.get(f"{root}/web-1").json()["metadata"]["name"] == "web-1"


def test_paths_that_are_nothing_are_not_found(local):
    for path in ("/nowhere", "/apis/none/v1/things", "/api/v1/pods/x/y/z/a"):
        answer = local.http.get(path)
        assert (answer.status_code, answer.json()["kind"]) == (404, "Status")


def test_methods_that_are_not_known_are_refused(local):
    assert local.http.put(local.path("configmaps"), json={}).status_code == 405


def test_a_body_that_is_too_large_is_refused(local):
    answer = local.http.post(local.path("configmaps"), content=b" " * (3 * 2**20 + 1))
    assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")


def test_a_scale_is_read_and_replaced(local):
    local.create(deployment(replicas=2))
    scale = local.get("deployments", "web", "scale")
    assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 0, "selector": "app=web"})
    scale["spec"]["replicas"] = 5
    assert local._answer(local.http.put(local.path("deployments", "web", "scale"), json=scale))["spec"]["replicas"] == 5
    with pytest.raises(Refused, match="the object has been modified"):
        local._answer(local.http.put(local.path("deployments", "web", "scale"), json=scale))
