"""Serves canned answers on $POD_IP: `python -m seatrial.dependencies.http_server PORT ROUTES`.

ROUTES is a file of JSON: a list of {path, method, status, headers, body, delay_s}. Only built-in modules are used.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar


class Answers(BaseHTTPRequestHandler):
    """One connection; the first route that fits answers."""

    protocol_version = "HTTP/1.1"
    routes: ClassVar[list[dict[str, Any]]] = []

    def answer(self) -> None:
        """Read the request whole, and answer it."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        fitting = (route for route in self.routes if (route["method"], route["path"]) == (self.command, path))
        route = next(fitting, None) or {"status": 404, "headers": {}, "body": {"error": f"no route {path}"}}
        time.sleep(route.get("delay_s", 0.0))
        body, kind = encoded(route["body"])
        self.send_response(route["status"])
        for name, value in {"Content-Type": kind, **route["headers"]}.items():
            self.send_header(name, value)
        if may_have_a_body(route["status"]):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and may_have_a_body(route["status"]):
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, format: str, *values: Any) -> None:
        """To stdout, as a container's log."""
        print(format % values, flush=True)


def may_have_a_body(status: int) -> bool:
    """Source: RFC 9110, 6.4.1."""
    return status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


def encoded(body: Any) -> tuple[bytes, str]:
    """A body's bytes and content type: text as it is, nothing for None, JSON for all else."""
    if body is None:
        return b"", "text/plain"
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    return json.dumps(body).encode(), "application/json"


class Server(ThreadingHTTPServer):
    """A thread for each connection; they end with the process."""

    daemon_threads = True
    request_queue_size = 256


def main() -> None:
    """Serve until SIGTERM."""
    Answers.routes = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    server = Server((os.environ["POD_IP"], int(sys.argv[1])), Answers)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print(f"{len(Answers.routes)} routes on {server.server_address[0]!s}:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
