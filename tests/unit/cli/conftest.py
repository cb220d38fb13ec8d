"""Command lines, as they are typed."""

import sys
from copy import deepcopy

import pytest
import yaml

from seatrial.cli.main import run_command_line

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
def seatrial(monkeypatch, capsys):
    """Runs a command line; its status and what it said on stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["seatrial", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run_command_line()
        said = capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        return ended.value.code, said.err

    return run


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
