"""The greeter of examples/ as another kind of subject: a StatefulSet, and pods that a program makes at run time.

Each has a neighbour, a Deployment whose pods have names that begin as the subject's do.
"""

import shutil
from pathlib import Path

import yaml

GREETER = Path(__file__).parents[2] / "examples" / "greeter"
READY_WITHIN_S = 180  # of pods that come one after the other, on a machine that has other things to do
DEPLOYMENT = "\nkind: Deployment\n"
WAITS = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"

NEIGHBOUR = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %(name)s}
spec:
  replicas: 1
  selector: {matchLabels: {app: neighbour}}
  template:
    metadata: {labels: {app: neighbour}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: neighbour
          image: {{ .Values.image }}
          command: [python3, -c, "%(waits)s"]
          resources: {requests: {cpu: 1m, memory: 16Mi}}
"""

# Whatever makes pods at run time in earnest does it like this, with leases and the like beside it.
MAKER = '''\
"""Sees to it that there are so many engines: makes those that are missing, and takes away those that are too many."""

import json
import os
import ssl
import time
import urllib.request

HERE = "/var/run/secrets/kubernetes.io/serviceaccount"
TRUSTED = ssl.create_default_context(cafile=f"{HERE}/ca.crt")
ENGINE = json.loads(os.environ["ENGINE"])
WANTED = int(os.environ["ENGINES"])


def ask(method, path, document=None):
    with open(f"{HERE}/namespace") as namespace, open(f"{HERE}/token") as token:
        url = f"https://kubernetes.default.svc/api/v1/namespaces/{namespace.read()}/pods{path}"
        headers = {"Authorization": f"Bearer {token.read()}", "Content-Type": "application/json"}
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, context=TRUSTED, timeout=10) as answer:
        return json.load(answer)


while True:
    try:
        alive = [
            pod["metadata"]["name"]
            for pod in ask("GET", "?labelSelector=app%3Dengine")["items"]
            if not pod["metadata"].get("deletionTimestamp")
        ]
        for _ in range(WANTED - len(alive)):
            ask("POST", "", ENGINE)
        for name in alive[WANTED:]:
            ask("DELETE", f"/{name}")
    except OSError as refused:
        print(f"{type(refused).__name__}: {refused}", flush=True)
    time.sleep(0.5)
'''

MADE_AT_RUN_TIME = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  greeter.py: {{ .Files.Get "greeter.py" | toJson }}
  maker.py: {{ .Files.Get "maker.py" | toJson }}
---
apiVersion: v1
kind: Service
metadata: {name: engines}
spec:
  selector: {app: engine}
  ports: [{name: http, port: 8080, targetPort: http}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: maker}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: maker}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [list, create, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: maker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: maker}
subjects: [{kind: ServiceAccount, name: maker}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: maker}
spec:
  replicas: 1
  selector: {matchLabels: {app: maker}}
  template:
    metadata: {labels: {app: maker}}
    spec:
      serviceAccountName: maker
      terminationGracePeriodSeconds: 1
      containers:
        - name: maker
          image: {{ .Values.image }}
          command: [python3, /app/maker.py]
          env:
            - {name: ENGINES, value: {{ .Values.replicaCount | quote }}}
            - {name: ENGINE, value: {{ tpl (.Files.Get "engine.yaml") . | fromYaml | toJson | quote }}}
          resources: {requests: {cpu: 10m, memory: 32Mi}}
          volumeMounts: [{name: app, mountPath: /app}]
      volumes: [{name: app, configMap: {name: {{ .Release.Name }}}}]
"""


def stateful_set(folder: Path) -> Path:
    """Write a chart below `folder` whose greeter is a StatefulSet; the chart's path."""
    chart, manifests, contract = _greeter(folder)
    (deployment,) = [each for each in manifests if DEPLOYMENT in each]
    text = deployment.replace("kind: Deployment", "kind: StatefulSet")
    text = text.replace("\nspec:\n  replicas:", "\nspec:\n  serviceName: {{ .Release.Name }}\n  replicas:")
    others = [each for each in manifests if each is not deployment]
    _write(chart, "---\n".join([*others, text]), "{{ .Release.Name }}-0-neighbour")
    contract["workloads"] = {"greeter": {"kind": "StatefulSet"}}
    return _done(chart, contract)


def made_at_run_time(folder: Path) -> Path:
    """Write a chart below `folder` with a program that makes greeters' pods at run time; the chart's path."""
    chart, manifests, contract = _greeter(folder)
    (deployment,) = [each for each in manifests if DEPLOYMENT in each]
    template = deployment.partition("\n  template:\n")[2]
    pod = "\n".join(line.removeprefix("    ") for line in template.splitlines())
    pod = pod.replace("labels: {app: {{ .Release.Name }}}", "generateName: engine-\n  labels: {app: engine}")
    (chart / "engine.yaml").write_text(f"apiVersion: v1\nkind: Pod\n{pod}\n")
    (chart / "maker.py").write_text(MAKER)
    _write(chart, MADE_AT_RUN_TIME, "engine-neighbour")
    contract["workloads"] = {"engines": {"selector": {"app": "engine"}, "service": "engines"}}
    return _done(chart, contract)


def _greeter(folder: Path) -> tuple[Path, list[str], dict]:
    """A copy of the greeter's chart, its manifests, and its contract; it loads its model for so long that it shows."""
    chart = folder / "greeter"
    shutil.copytree(GREETER, chart)
    server = (chart / "greeter.py").read_text()
    assert server.count("time.sleep(1)  # the model being loaded") == 1
    (chart / "greeter.py").write_text(server.replace("time.sleep(1)", "time.sleep(4)"))
    text = (chart / "templates" / "greeter.yaml").read_text()
    return chart, text.split("---\n"), yaml.safe_load((chart / "contract.yaml").read_text())


def _write(chart: Path, manifests: str, neighbour: str) -> None:
    neighbours = NEIGHBOUR % {"name": neighbour, "waits": WAITS}
    (chart / "templates" / "greeter.yaml").write_text(manifests + neighbours)


def _done(chart: Path, contract: dict) -> Path:
    contract["ready_within_s"] = READY_WITHIN_S
    (chart / "contract.yaml").write_text(yaml.safe_dump(contract, sort_keys=False))
    return chart
