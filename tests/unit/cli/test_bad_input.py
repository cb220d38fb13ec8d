"""Bad input ends with one message and status 3, a cluster that is not there with status 2; never with a traceback."""

import json
import socket
import sys
from copy import deepcopy

import pytest
import yaml

from seatrial.cli.main import main
from seatrial.suite.subject import read_subject

DEPLOYMENT = """\
{{- if .Values.render }}
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicaCount }}
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x}}
    spec:
      terminationGracePeriodSeconds: {{ .Values.grace }}
      containers:
        - name: server
          image: "{{ .Values.image }}"
          ports: [{containerPort: 8080}]
          {{- with .Values.readiness }}
          readinessProbe: {{ toJson . }}
          {{- end }}
---
{{- end }}
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: x}, ports: [{port: 8080}]}
"""
VALUES = {
    "render": True,
    "replicaCount": 1,
    "grace": 30,
    "image": "example/server:1",
    "readiness": {"httpGet": {"path": "/ready", "port": 8080}},
    "drain": {"seconds": 5},
}
CONTRACT = {
    "apiVersion": "seatrial/v1",
    "name": "echo",
    "inference": {"path": "/echo", "cases": {"count": 16, "request": {"n": "{i}"}, "expect": {"n": "{i}"}}},
}


@pytest.fixture
def chart(tmp_path):
    """Writes a chart with its contract, changed by dotted paths; the values can be changed too."""

    def write(values=None, deployment=DEPLOYMENT, **changed):
        folder = tmp_path / "chart"
        (folder / "templates").mkdir(parents=True, exist_ok=True)
        (folder / "Chart.yaml").write_text("{apiVersion: v2, name: echo, version: 1.0.0}\n")
        (folder / "values.yaml").write_text(yaml.safe_dump({**VALUES, **(values or {})}))
        (folder / "templates" / "all.yaml").write_text(deployment)
        document = deepcopy(CONTRACT)
        for path, value in changed.items():
            *parents, leaf = path.split("__")
            inner = document
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[leaf] = value
        (folder / "contract.yaml").write_text(yaml.safe_dump(document))
        return folder

    return write


@pytest.fixture
def seatrial(monkeypatch, capsys):
    """Runs a command line; its status and what it said on stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["seatrial", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return ended.value.code, said.err

    return run


def test_a_chart_that_can_keep_its_contract_is_a_subject(chart):
    subject = read_subject(chart(drain={"budget_s": {"value": "drain.seconds", "set": 5}}, probes={"readiness": True}))
    assert [manifest["kind"] for manifest in subject.manifests] == ["Deployment", "Service"]
    assert len(subject.digest) == 64


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["certify", "x", "--colour"], "No such option"),
        (["certify"], "Missing argument"),
        (["certify", "x", "--cluster", "moon"], "'moon' is not one of"),
        (["certify", "x", "--lanes", "0"], "0 is not in the range"),
        (["certify", "x", "--seed", "today"], "'today' is not a valid integer"),
        (["sail"], "No such command"),
        (["check", "x"], "Missing argument"),
        (["verify", "nowhere"], "nowhere: expected the folder of a run record"),
        (["report", "nowhere"], "nowhere: expected the folder of a run record"),
        (["load", "nowhere.yaml"], "nowhere.yaml"),
        (["certify", "nowhere"], "expected a contract, found no such file"),
        (["faults", "nowhere"], "expected a contract, found no such file"),
    ],
)
def test_a_command_line_that_cannot_be_meant_ends_with_status_3(seatrial, arguments, said):
    status, told = seatrial(*arguments)
    assert status == 3
    assert said in told


BUDGET = {"budget_s": 5}


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"drian": BUDGET}, "drian: expected a key of the contract, found an unknown one; did you mean `drain`?"),
        ({"chart": "../elsewhere"}, "chart: expected a chart in "),
        ({"drain": {"budget_s": {"value": "drain.secnds", "set": 5}}}, "drain.secnds"),
        ({"replicas": "replicas"}, "replicas"),
        ({"probes": {"readiness": "probes.ready"}}, "probes.ready"),
        ({"values": {"render": False}}, "chart: expected one Deployment to put on trial, found 0"),
        ({"container": "sever"}, "container: expected one of server, found sever"),
        ({"service": "{release}-web"}, "service: expected a Service named subject-web"),
        ({"probes": {"liveness": True}}, "probes.liveness: expected an HTTP livenessProbe"),
        ({"probes": {"readiness": True}, "values": {"readiness": None}}, "probes.readiness: expected an HTTP"),
        ({"drain": {"budget_s": 30}}, "drain.budget_s: expected less than the grace period of 30 s, found 30"),
        ({"drain": {"budget_s": 8, "grace_s": {"value": "grace", "set": 8}}}, "grace period of 8 s, found 8"),
        (
            {"drain": BUDGET, "inference__long": {"request": "{seconds}", "expect": "{seconds}", "seconds": 6}},
            "inference.long.seconds: expected at most drain.budget_s (5), found 6",
        ),
        (
            {"autoscaling": {"min": 1, "max": 2, "cpu_percent": 50, "cpu_s_per_request": 0.1}},
            "autoscaling: expected a HorizontalPodAutoscaler",
        ),
        (
            {"autoscaling": {"min": 1, "max": 2, "cpu_percent": 50, "cpu_s_per_request": 0.1, "overlay": "hpa.yaml"}},
            "autoscaling.overlay: expected a manifest, found no hpa.yaml",
        ),
        ({"service": "{name}"}, "service: expected a name with {release} in it at most, found '{name}'"),
    ],
)
def test_a_promise_that_the_chart_cannot_keep_is_refused_by_its_key(seatrial, chart, changed, key):
    folder = chart(**changed)
    status, told = seatrial("certify", folder, "--quiet")
    assert status == 3
    assert key in told
    assert told.startswith("seatrial: ")
    assert len(told.strip().splitlines()) == 1


def test_an_autoscaler_that_cannot_scale_is_refused(seatrial, chart):
    scaling = {"min": 2, "max": 2, "cpu_percent": 50, "cpu_s_per_request": 0.1, "overlay": "hpa.yaml"}
    folder = chart(autoscaling=scaling)
    (folder / "hpa.yaml").write_text("{}")
    status, told = seatrial("certify", folder)
    assert status == 3
    assert "autoscaling.max: expected more than min (2), found 2" in told


@pytest.mark.parametrize(
    "deployment",
    ["{{ .Values.no.such.value }}", '{{ fail "set image.tag" }}', "{{ if }}", "kind: [", "just text"],
    ids=["nil", "fail", "syntax", "not YAML", "no manifest"],
)
def test_a_chart_that_does_not_render_is_refused(seatrial, chart, deployment):
    status, told = seatrial("certify", chart(deployment=deployment))
    assert status == 3
    assert "chart" in told


def test_values_that_the_charts_schema_refuses_are_told(seatrial, chart):
    folder = chart(values={"grace": "long"})
    schema = {"properties": {"grace": {"type": "integer"}}}
    (folder / "values.schema.json").write_text(json.dumps(schema))
    status, told = seatrial("certify", folder)
    assert status == 3
    assert "grace" in told


# commands around a good chart


def test_an_unknown_check_or_fault_is_told_with_those_there_are(seatrial, chart):
    folder = chart()
    status, told = seatrial("certify", folder, "--only", "D1", "--only", "D99")
    assert (status, "found D99" in told) == (3, True)
    status, told = seatrial("check", folder, "D99")
    assert (status, "found D99" in told) == (3, True)
    status, told = seatrial("faults", folder, "--only", "no-such-fault")
    assert (status, "no-such-fault" in told) == (3, True)


def test_a_folder_without_checks_is_refused(seatrial, chart, tmp_path):
    (tmp_path / "mine").mkdir()
    status, told = seatrial("certify", chart(), "--conformance", tmp_path / "mine")
    assert (status, "expected checks below this folder" in told) == (3, True)


def test_an_existing_cluster_needs_its_kubeconfig(seatrial, chart, tmp_path):
    for options in ([], ["--kubeconfig", tmp_path / "none"]):
        status, told = seatrial("certify", chart(), "--cluster", "existing", *options, "--quiet")
        assert (status, "kubeconfig" in told) == (3, True)


def kubeconfig(folder, server):
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(document))
    return folder / "kubeconfig"


def test_a_cluster_that_cannot_be_reached_ends_with_status_2(seatrial, chart, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        server = f"http://127.0.0.1:{taken.getsockname()[1]}"
        file = kubeconfig(tmp_path, server)
        status, told = seatrial("certify", chart(), "--cluster", "existing", "--kubeconfig", file, "--quiet")
        assert (status, server in told) == (2, True)
        status, told = seatrial("clean", "--cluster", "existing", "--kubeconfig", file)
        assert (status, server in told) == (2, True)


def test_a_context_that_is_not_there_is_bad_input(seatrial, chart, tmp_path):
    file = kubeconfig(tmp_path, "http://127.0.0.1:9")
    status, told = seatrial("certify", chart(), "--cluster", "existing", "--kubeconfig", file, "--context", "y")
    assert (status, "y" in told) == (3, True)


def test_nothing_is_written_for_input_that_is_refused(seatrial, chart, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seatrial("certify", chart(container="sever"))
    assert not (tmp_path / "runs").exists()
