"""A service with a protocol of its own: it knows its callers by a token, and streams its answers line by line.

Its chart gets the token from a Secret that is no part of it, and has the adapter beside the contract.
"""

from pathlib import Path

import yaml

SECRET, KEY, VARIABLE = "guarded-keys", "token", "GUARDED_TOKEN"

SERVER = '''\
"""Tells whoever has the token what it was asked for, a word a line, and `END` in the last."""

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Guarded(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200 if self.path == "/ready" else 404)

    def do_POST(self):
        name, seconds = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["X-Token"] != f"Key {os.environ['TOKEN']}":
            return self.answer(401)
        self.head(200, "Transfer-Encoding", "chunked")
        words = ["dear", *name.split(), "farewell", "END"]
        for number, word in enumerate(words):
            time.sleep(seconds / (len(words) - 1) if number else 0)  # the first comes at once
            line = f"{word}\\n".encode()
            self.wfile.write(b"%x\\r\\n%b\\r\\n" % (len(line), line))
        self.wfile.write(b"0\\r\\n\\r\\n")

    def answer(self, status):
        self.head(status, "Content-Length", "0")

    def head(self, status, header, value):
        self.send_response(status)
        for each in ((header, value), ("Connection", "close"), ("X-Served-By", os.environ["POD_NAME"])):
            self.send_header(*each)
        self.end_headers()
        self.close_connection = True

    def log_message(self, *_):
        """No line for each request."""


class Server(ThreadingHTTPServer):
    daemon_threads = False  # closing the server waits for open requests
    request_queue_size = 128


def stop(*_):
    print("draining", flush=True)
    threading.Timer(3, server.shutdown).start()  # endpoints and proxies notice meanwhile


signal.signal(signal.SIGTERM, stop)
server = Server(("", 8080), Guarded)
server.serve_forever()
server.server_close()
'''

ADAPTER = '''\
"""Lines of one word each, the last of which is END."""

import json
from dataclasses import dataclass

from seatrial.traffic.adapters.base import Reply
from seatrial.traffic.plan import Exchange


class Lines:
    needs_body = False

    def __init__(self):
        self.told = b""

    def feed(self, body):
        before = self.told.count(b"\\n")
        self.told += body
        return self.told.count(b"\\n") - before

    def reply(self, status, body):
        *words, last = self.told.decode().splitlines() or [""]
        whole = status == 200 and last == "END"
        return Reply("" if whole else f"status {status}, no END", " ".join(words))


@dataclass(frozen=True)
class Adapter:
    path: str

    generates = True
    readers = {"lines": Lines}

    @classmethod
    def of(cls, settings):
        settings.refuse("lines", "model", "parameters")
        return cls(settings.path)

    def exchange(self, case, given, expect=None, tolerance=0.0):
        asked = json.dumps([given["name"], float(given["seconds"])]).encode()
        return Exchange(case, "POST", self.path, (), asked, expect, tolerance, api="lines")
'''

MANIFESTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  guarded.py: {{ .Files.Get "guarded.py" | toJson }}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{name: http, port: 8080, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicaCount }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 15
      containers:
        - name: guarded
          image: python:3.11-slim-bookworm
          command: [python3, /app/guarded.py]
          env:
            - {name: TOKEN, valueFrom: {secretKeyRef: {name: %(secret)s, key: %(key)s}}}
            - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
          resources: {requests: {cpu: 50m, memory: 32Mi}}
          volumeMounts: [{name: app, mountPath: /app}]
      volumes: [{name: app, configMap: {name: {{ .Release.Name }}}}]
"""

CONTRACT = {
    "apiVersion": "seatrial/v1",
    "name": "guarded",
    "ready_within_s": 180,
    "dependencies": {"keys": {"secret": {"name": SECRET, "values": {KEY: {"env": VARIABLE}}}}},
    "inference": {
        "adapter": "lines.py",
        "path": "/tell",
        "streaming": True,
        "credentials": {
            "header": "X-Token",
            "prefix": "Key ",
            "secret": {"name": SECRET, "key": KEY},
            "environment": VARIABLE,
        },
        "cases": {"count": 16, "request": {"name": "guest {i}", "seconds": 0.1}, "equals": "dear guest {i} farewell"},
        "long": {
            "request": {"name": "patient guest", "seconds": "{seconds}"},
            "equals": "dear patient guest farewell",
            "seconds": 4,
        },
    },
    "probes": {"readiness": True},
    "drain": {"budget_s": 8, "sign_log": "draining"},
}


def guarded(folder: Path) -> Path:
    """Write the chart with its contract and its adapter below `folder`; the chart's path."""
    chart = folder / "guarded"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: guarded, version: 0.1.0}\n")
    (chart / "values.yaml").write_text("replicaCount: 1\n")
    (chart / "guarded.py").write_text(SERVER)
    (chart / "templates" / "guarded.yaml").write_text(MANIFESTS % {"secret": SECRET, "key": KEY})
    (chart / "lines.py").write_text(ADAPTER)
    (chart / "contract.yaml").write_text(yaml.safe_dump(CONTRACT, sort_keys=False))
    return chart
