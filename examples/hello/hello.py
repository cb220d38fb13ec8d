"""The smallest service that can be put on trial: says hello, to so many guests at a time."""

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

slots = threading.Semaphore(int(os.environ["SLOTS"]))


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200 if self.path == "/ready" else 404, {})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not slots.acquire(blocking=False):
            return self.answer(503, {"error": "busy"})
        try:
            time.sleep(float(asked.get("seconds", 0.15)))  # the model at work
            return self.answer(200, {"greeting": f"Hello, {asked['name']}!"})
        finally:
            slots.release()

    def answer(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
time.sleep(1)  # the model being loaded
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer((os.environ["POD_IP"], 8080), Hello).serve_forever()
