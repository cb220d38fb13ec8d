"""Answers with the greeting that its environment has, and finishes what it has when it is told to stop."""

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"ready": True})

    def do_POST(self):
        if os.environ["GREETING"] == "never":
            time.sleep(600)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer({"n": asked["n"], "greeting": os.environ["GREETING"]})

    def answer(self, body):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        """No line for each request."""


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


server = Server((os.environ["POD_IP"], 8080), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Timer(0.5, server.shutdown).start())
server.serve_forever()
server.server_close()
