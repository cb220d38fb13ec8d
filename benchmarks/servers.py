"""The servers that benchmarks load.

nginx, one worker, a small JSON answer from memory: every answer from / is the same, no two from /new are. And the
scripts in peers/ that serve.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent / "peers"
BODY = '{"greeting":"Hello","value":42,"ok":true}'
NEW_BODY = '{"greeting":"Hello","id":"$request_id"}'
_CONFIGURATION = """
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type application/json; return 200 '{body}'; }}
    location /new {{ default_type application/json; return 200 '{new_body}'; }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(core: int) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1, pinned to one core; the port."""
    if shutil.which("nginx") is None:
        raise SystemExit("expected nginx on PATH, found none; apt-get install nginx-light")
    with tempfile.TemporaryDirectory(prefix="seatrial-bench-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(folder=folder, port=port, body=BODY, new_body=NEW_BODY), encoding="utf-8"
        )
        server = subprocess.Popen(["taskset", "-c", str(core), "nginx", "-c", str(configuration), "-p", folder])
        try:
            _await(port)
            yield port
        finally:
            server.terminate()
            server.wait()


@contextlib.contextmanager
def scripted(peer: str, *given: float, core: int | None = None) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server of peers/, pinned to a core if one is given; its port, and its process."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    command = [*pinned, sys.executable, str(PEERS / f"{peer}.py"), *map(str, given)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline()), server
    finally:
        server.terminate()
        server.wait()


def said_at_end(server: subprocess.Popen[str]) -> dict[str, Any]:
    """End a server that then tells what it has seen."""
    server.terminate()
    found: dict[str, Any] = json.loads(server.communicate()[0].splitlines()[-1])
    return found


def _await(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"expected nginx to listen on port {port} within 5 s, found that it does not; see its output")
