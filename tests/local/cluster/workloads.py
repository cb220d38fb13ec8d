"""Objects to run, and waiting for what becomes of them."""

import time

IMAGE = "python:3.11-slim-bookworm"
SERVER = """
import os, signal, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class WhoAmI(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["POD_NAME"].encode())
def leave():
    time.sleep(float(os.environ["DRAIN_S"]))
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=leave).start())
ThreadingHTTPServer((os.environ["POD_IP"], 8000), WhoAmI).serve_forever()
"""
BURNER = "import time\nwhile True: sum(range(100_000)), time.sleep(0.005)"  # some 0.3 of a core


def eventually(ready, within_s=30.0):
    """What `ready()` returns once it is true."""
    end = time.monotonic() + within_s
    while not (found := ready()):
        assert time.monotonic() < end, f"not within {within_s} s: {ready.__name__}"
        time.sleep(0.05)
    return found


def deployment(replicas=3, *, code=SERVER, drain_s=0.0, probed=True, **resources):
    field = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in (
        ("POD_IP", "status.podIP"), ("POD_NAME", "metadata.name"))]  # fmt: skip
    container = {
        "name": "server",
        "image": IMAGE,
        "command": ["python3", "-u", "-c", code],
        "env": [*field, {"name": "DRAIN_S", "value": str(drain_s)}],
        "ports": [{"name": "http", "containerPort": 8000}],
        "resources": resources,
    }
    if probed:
        container["readinessProbe"] = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    }


def service(port=8080):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": port, "targetPort": "http"}]},
    }
