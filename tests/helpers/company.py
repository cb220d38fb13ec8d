"""The reference service among others: what is said of it must be what is said of it alone.

    python -m tests.helpers.company /tmp/openmed-in-company
    seatrial certify /tmp/openmed-in-company

A copy of charts/openmed-service with a sidecar beside the server, a second Deployment, a hook Job, a CronJob, and a
PostgreSQL that the contract has brought: all pods of one namespace.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).parents[2] / "charts"
CONTAINERS = "      containers:\n"
SIDECAR = """\
        - name: sidecar
          image: python:3.11-slim-bookworm
          command: [python3, -c, "import os, signal; signal.signal(15, lambda *_: os._exit(0)); signal.pause()"]
          resources: {requests: {cpu: 1m, memory: 16Mi}}
"""
OTHERS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-worker}
spec:
  replicas: 2
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec:
      containers:
        - name: worker
          image: python:3.11-slim-bookworm
          command: [python3, -c, "import os, signal; signal.signal(15, lambda *_: os._exit(0)); signal.pause()"]
          resources: {requests: {cpu: 1m, memory: 16Mi}}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: "python:3.11-slim-bookworm", command: [python3, -c, "print('migrated')"]}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: {{ .Release.Name }}-report}
spec:
  schedule: "*/2 * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: report, image: "python:3.11-slim-bookworm", command: [python3, -c, "print('report')"]}]
"""


def in_company(folder: Path) -> Path:
    """Make the chart at `folder`, which must not exist; it."""
    shutil.copytree(CHARTS / "openmed-service", folder)
    template = folder / "templates" / "deployment.yaml"
    text = template.read_text(encoding="utf-8")
    assert text.count(CONTAINERS) == 1
    template.write_text(text.replace(CONTAINERS, CONTAINERS + SIDECAR), encoding="utf-8")
    (folder / "templates" / "company.yaml").write_text(OTHERS, encoding="utf-8")
    file = folder / "contract.yaml"
    contract = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(_among_others(contract), sort_keys=False), encoding="utf-8")
    return folder


def _among_others(contract: dict[str, Any]) -> dict[str, Any]:
    gateway = {
        "name": "{release}-openmed-service",
        "container": contract.pop("container"),
        "port": contract.pop("port"),
        "service": contract.pop("service").replace("{release}", "{name}"),
    }
    images = [str((CHARTS / "openmed-service" / image).resolve()) for image in contract.pop("images")]
    return {
        **contract,
        "images": images,
        "workloads": {"gateway": gateway},
        "dependencies": {"database": {"postgres": {"database": "openmed"}}},
    }


if __name__ == "__main__":
    print(in_company(Path(sys.argv[1])))
