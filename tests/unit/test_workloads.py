"""Which pods of a chart are on trial: what a contract may say, and what of it the chart has to render."""

from pathlib import Path

import pytest
import yaml

from seatrial.contract import read_contract
from seatrial.contract.workloads import resolved
from seatrial.errors import InputError
from seatrial.observation import Workload
from seatrial.suite.subject import read_subject
from seatrial.trials.context import with_replicas
from tests.unit.test_contract import MINIMAL


@pytest.fixture
def read(tmp_path):
    def write_and_read(**keys):
        (tmp_path / "contract.yaml").write_text(yaml.safe_dump({**MINIMAL, **keys}, sort_keys=False))
        return read_contract(tmp_path)

    return write_and_read


def workload(kind, name, *containers):
    spec = {"containers": [{"name": container} for container in containers or ("server",)]}
    return {"kind": kind, "metadata": {"name": name}, "spec": {"template": {"spec": spec}}}


def service(name, *ports):
    return {"kind": "Service", "metadata": {"name": name}, "spec": {"ports": list(ports or ({"port": 8080},))}}


ONE = (workload("Deployment", "subject-web", "server", "proxy"), service("subject-web"))
CHART = (
    workload("Deployment", "subject-gateway", "server", "proxy"),
    workload("Deployment", "subject-worker"),
    workload("StatefulSet", "subject-db"),
    workload("Job", "subject-migrate"),
    service("subject-gateway", {"port": 80}, {"port": 8080}),
    service("subject-worker"),
    service("subject-db", {"port": 5432}),
)


def on_trial(contract, manifests=CHART):
    return resolved(contract.on_trial, manifests, "subject")


# what stays as it was


def test_a_contract_of_the_form_for_one_deployment_is_about_that(read):
    assert on_trial(read(), ONE) == {"": Workload("Deployment", "subject-web", service="subject-web")}
    named = read(service="{release}-headless", container="proxy", port=9, replicas="web.replicas")
    found = on_trial(named, (*ONE, service("subject-web-headless", {"port": 9})))
    assert found[""].service == "subject-web-headless"
    assert (named.subject.container, named.subject.port, named.subject.replicas) == ("proxy", 9, "web.replicas")


def test_one_deployment_beside_a_database_is_on_trial_without_being_named(read):
    assert on_trial(read(), (*ONE, CHART[2], service("subject-db")))[""].name == "subject-web"


# several


def test_each_workload_is_found_in_the_chart_and_the_first_is_under_load(read):
    contract = read(
        workloads={
            "gateway": {"name": "{release}-gateway", "container": "server", "port": 80},
            "db": {"kind": "StatefulSet", "port": 5432},
            "engine": {"selector": {"app": "engine"}, "service": "{release}-engines", "replicas": ""},
        }
    )
    assert on_trial(contract) == {
        "gateway": Workload("Deployment", "subject-gateway", service="subject-gateway"),
        "db": Workload("StatefulSet", "subject-db", service="subject-db"),
        "engine": Workload(selector={"app": "engine"}, service="subject-engines"),
    }
    assert contract.subject.port == 80


def test_the_one_that_is_marked_is_under_load(read):
    contract = read(workloads={"a": {"port": 1}, "b": {"port": 2, "default": True}})
    assert contract.subject.port == 2


@pytest.mark.parametrize(
    ("workloads", "manifests", "said"),
    [
        ({}, CHART, "workloads: expected to be told which of the chart's 2 Deployments is on trial "
         r"\(subject-gateway, subject-worker\), found no `workloads`; write `workloads: \{main:"),
        ({}, CHART[2:], "chart: expected one Deployment to put on trial, found 0"),
        ({"a": {}}, CHART, r"workloads\.a\.name: expected one Deployment from the chart .* found 2"),
        ({"a": {"name": "gateway"}}, CHART, r"workloads\.a\.name: expected a Deployment .*\(subject-gateway, "
         r"subject-worker\), found gateway; correct the name"),
        ({"a": {"kind": "StatefulSet", "name": "x"}}, ONE, r"expected a StatefulSet that the chart renders \(none\)"),
        ({"a": {"name": "subject-gateway", "container": "sever"}}, CHART,
         r"workloads\.a\.container: expected one of server, proxy, found sever"),
        ({"a": {"name": "subject-gateway", "service": "{name}-web"}}, CHART,
         r"workloads\.a\.service: expected a Service named subject-gateway-web .*\(subject-gateway, subject-worker, "),
        ({"a": {"name": "subject-gateway"}, "b": {"name": "{release}-gateway"}}, CHART,
         r"workloads\.b\.name: expected a workload of its own, found Deployment subject-gateway, which is "),
        ({"a": {"name": "subject-gateway"}, "b": {"name": "subject-gateway", "service": "subject-worker"}}, CHART,
         r"workloads\.b\.name: expected .* found Deployment subject-gateway, which is workloads\.a, too; remove one"),
        ({"a": {"selector": {"app": "x"}, "service": "a"}, "b": {"selector": {"app": "x"}, "service": "b"}}, CHART,
         r"workloads\.b\.selector: expected .* found pods with app=x, which is workloads\.a, too; remove one of them, "
         "or correct its selector"),
    ],
)  # fmt: skip
def test_what_the_chart_does_not_render_is_refused_by_its_key(read, workloads, manifests, said):
    contract = read(workloads=workloads)
    with pytest.raises(InputError, match=said):
        on_trial(contract, manifests)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"workloads": {"a": {}}, "port": 80}, r"port: expected it under workloads\.a, found it beside `workloads`"),
        (
            {"workloads": {"a": {"default": True}, "b": {"default": True}}},
            "expected one with `default: true`, found a, b",
        ),
        ({"workloads": {"a": {"kind": "DaemonSet"}}}, r"workloads\.a\.kind"),
        ({"workloads": {"a": {"name": "{chart}-a"}}}, r"workloads\.a\.name: expected a name with \{release\}"),
        ({"workloads": {"a": {"service": "{chart}"}}}, r"a name with \{release\} or \{name\} in it at most"),
        ({"workloads": {"a": {"selector": {"app": "x"}}}}, "expected service beside selector, found none"),
        ({"workloads": {"a": {"selector": {"app": "x"}, "name": "x", "service": "x"}}}, "selector alone, found name"),
        ({"workloads": {"a": {"selector": {"app": 3}, "service": "x"}}}, r"workloads\.a\.selector\.app"),
        ({"workloads": {"a": {"conteiner": "x"}}}, r"workloads\.a\.conteiner"),
        ({"workloads": []}, "workloads"),
    ],
)
def test_a_mistake_is_told_by_file_and_key(read, tmp_path, keys, said):
    with pytest.raises(InputError, match=said) as refused:
        read(**keys)
    assert str(refused.value).startswith(str(tmp_path / "contract.yaml"))


def labelled(kind, **labels):
    manifest = workload(kind, "subject")
    manifest["spec"]["template"]["metadata"] = {"labels": labels}
    return manifest


def led_to(**selector):
    led = service("subject")
    led["spec"]["selector"] = selector
    return led


@pytest.mark.parametrize(
    ("kind", "selector", "wanted"),
    [
        ("Deployment", {"app": "web"}, "app: web"),
        ("Deployment", {"app": "engine", "role": "leader"}, "role: leader"),
        ("StatefulSet", {"app": "engine", "apps.kubernetes.io/pod-index": "0"}, "apps.kubernetes.io/pod-index: 0"),
        ("StatefulSet", {"statefulset.kubernetes.io/pod-name": "subject-0"}, "statefulset.kubernetes.io/pod-name: "),
    ],
)
def test_a_service_that_does_not_lead_to_every_pod_of_the_workload_is_refused(read, kind, selector, wanted):
    contract = read(workloads={"a": {"kind": kind}})
    said = f"workloads.a.service: expected a Service that leads to every pod of {kind} subject, found subject, whose .*"
    with pytest.raises(InputError, match=f"{said} wants {wanted}.*name these by `selector`, in place of kind and name"):
        on_trial(contract, (labelled(kind, app="engine"), led_to(**selector)))


@pytest.mark.parametrize("selector", [{"app": "engine"}, {"app": "engine", "tier": "gpu"}, {}])
def test_a_service_leads_to_pods_that_have_what_it_wants_or_where_somebody_else_says(read, selector):
    found = on_trial(read(), (labelled("Deployment", app="engine", tier="gpu", more="x"), led_to(**selector)))
    assert found == {"": Workload("Deployment", "subject", service="subject")}


def test_two_workloads_of_one_name_are_refused(tmp_path):
    text = yaml.safe_dump(MINIMAL) + "workloads:\n  a: {port: 1}\n  a: {port: 2}\n"
    (tmp_path / "contract.yaml").write_text(text)
    with pytest.raises(InputError, match="a"):
        read_contract(tmp_path)


# read with its chart

STATEFUL = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicaCount }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: server, image: x}]}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {selector: {app: web}, ports: [{port: 8080}]}
"""


@pytest.fixture
def stateful(tmp_path) -> Path:
    """A chart whose server is a StatefulSet."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 0.1.0\n")
    (tmp_path / "values.yaml").write_text("replicaCount: 1\n")
    (tmp_path / "templates" / "all.yaml").write_text(STATEFUL)
    contract = {**MINIMAL, "workloads": {"web": {"kind": "StatefulSet"}}}
    (tmp_path / "contract.yaml").write_text(yaml.safe_dump(contract))
    return tmp_path


def test_a_chart_whose_number_of_pods_no_value_governs_names_the_contracts_key(stateful):
    (stateful / "values.yaml").write_text("pods: 1\n")
    with pytest.raises(
        InputError,
        match=r"workloads\.web\.replicas: expected the Helm value that governs the number of pods, found replicaCount, "
        r"the default: .* the nearest is pods; write `replicas: PATH`, or \"\" where no value does",
    ):
        read_subject(stateful)


def test_where_no_value_governs_it_the_number_of_pods_is_written_into_what_is_rendered(stateful):
    template = stateful / "templates" / "all.yaml"
    template.write_text(template.read_text().replace("{{ .Values.replicaCount }}", "7"))
    (stateful / "values.yaml").write_text("{}")
    contract = {**MINIMAL, "workloads": {"web": {"kind": "StatefulSet", "replicas": ""}}}
    (stateful / "contract.yaml").write_text(yaml.safe_dump(contract))
    subject = read_subject(stateful)
    changed = with_replicas(subject.manifests, subject.workload, 3)
    assert [manifest["spec"].get("replicas") for manifest in changed] == [None, 3]
    assert [manifest["spec"].get("replicas") for manifest in subject.manifests] == [None, 7]


def test_a_stateful_set_is_a_subject(stateful):
    assert read_subject(stateful).workload == Workload("StatefulSet", "subject", service="subject")
