"""The reference service as one workload among others: a chart of the kind that people bring.

The reference's Deployment gets a sidecar before its server. Beside it stand a second Deployment that sorts before it,
a PostgreSQL, a hook Job that runs before the release, and a CronJob. What the gateway promises is what the reference
promises alone.
"""

import shutil
from pathlib import Path

import yaml

from seatrial.dependencies.postgres import installed

REFERENCE = Path(__file__).parents[2] / "charts" / "openmed-service"
PYTHON = "python:3.11-slim-bookworm"
WAITS = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"

SIDECAR = f"""\
        - name: log-shipper
          image: {PYTHON}
          imagePullPolicy: IfNotPresent
          command: [python3, -c, "{WAITS}"]
          resources: {{requests: {{cpu: 1m, memory: 16Mi}}}}
"""

OTHERS = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: archive, labels: {{app: archive}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: archive}}}}
  template:
    metadata: {{labels: {{app: archive}}}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: archive
          image: {PYTHON}
          imagePullPolicy: IfNotPresent
          command: [python3, -c, "{WAITS}"]
          resources: {{requests: {{cpu: 1m, memory: 16Mi}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: database, labels: {{app: database}}}}
spec:
  replicas: 1
  strategy: {{type: Recreate}}
  selector: {{matchLabels: {{app: database}}}}
  template:
    metadata: {{labels: {{app: database}}}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
        - name: postgres
          image: postgres:15-bookworm
          imagePullPolicy: IfNotPresent
          env:
            - {{name: POSTGRES_USER, value: gateway}}
            - {{name: POSTGRES_PASSWORD, value: only-in-this-test}}
            - {{name: POSTGRES_DB, value: gateway}}
            - {{name: PGDATA, value: /data/pgdata}}
            - {{name: POD_IP, valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}}}
          volumeMounts: [{{name: data, mountPath: /data}}]
          ports:
            - {{name: sql, containerPort: 5432}}
          readinessProbe: {{tcpSocket: {{port: sql}}, periodSeconds: 1}}
          resources: {{requests: {{cpu: 10m, memory: 64Mi}}}}
      volumes: [{{name: data, emptyDir: {{}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: database}}
spec:
  selector: {{app: database}}
  ports: [{{name: sql, port: 5432, targetPort: sql}}]
---
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: migrate
          image: {PYTHON}
          imagePullPolicy: IfNotPresent
          command: [python3, -c, "print('nothing to migrate')"]
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: report}}
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: report
              image: {PYTHON}
              imagePullPolicy: IfNotPresent
              command: [python3, -c, "raise SystemExit(1)"]
"""


def gateway_stack(folder: Path) -> Path:
    """Write the chart with its contract below `folder`; the chart's path."""
    chart = folder / "gateway-stack"
    shutil.copytree(REFERENCE, chart)
    deployment = chart / "templates" / "deployment.yaml"
    text = deployment.read_text()
    assert text.count("      containers:\n") == 1
    deployment.write_text(text.replace("      containers:\n", f"      containers:\n{SIDECAR}"))
    (chart / "templates" / "others.yaml").write_text(OTHERS)
    file = chart / "contract.yaml"
    contract = yaml.safe_load(file.read_text())
    server = contract.pop("container")
    del contract["service"], contract["port"]
    contract["workloads"] = {
        "gateway": {"name": "{release}-openmed-service", "container": server, "service": "{name}", "port": 8080}
    }
    contract["images"] = [str(REFERENCE.parent / "images" / "openmed.image.yaml"), "postgres.image.yaml"]
    (chart / "postgres.image.yaml").write_text(yaml.safe_dump(postgres_recipe()))
    file.write_text(yaml.safe_dump(contract, sort_keys=False, allow_unicode=True))
    return chart


def postgres_recipe() -> dict[str, object]:
    """What stands for the database's image on the embedded cluster; real ones have the image."""
    programs, _ = installed("the test's database")
    command = ["{python}", "-m", "seatrial.dependencies.postgres_process", str(programs), "/data"]
    return {"image": "postgres", "tag": "15-bookworm", "process": {"command": command}}
