"""Engines on both event loops, and listeners that do exactly what a test says."""

import asyncio
import contextlib
import math
import resource
import threading
import time
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import uvloop

from seatrial.traffic.engine import Engine, health
from seatrial.traffic.plan import ServiceTarget


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run_loads(request, monkeypatch):
    """Serve connections with `handler(reader, writer)`, carry out `loads(target)` and return the ledger."""

    # The heap of a test run is large, and a collection takes longer than some of the loads last.
    monkeypatch.setattr("gc.collect", lambda: 0)

    async def whole(handler, loads, after_start):
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        engine = Engine()
        target = ServiceTarget("web", "127.0.0.1", server.sockets[0].getsockname()[1])
        run = await engine.start(loads(target), time.monotonic())
        if after_start is not None:
            await after_start(run)
        async with asyncio.timeout(10):
            await asyncio.shield(run.finished)
        engine.close()
        server.close()
        return run.ledger(), health([run])

    def go(handler, loads, after_start=None):
        async def guarded(reader, writer):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await handler(reader, writer)
            writer.close()

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(whole(guarded, loads, after_start))

    return go


@pytest.fixture
def web():
    """A port that answers every request rightly, from threads of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", "8")
            self.end_headers()
            self.wfile.write(b'{"a": 1}')

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield ServiceTarget("web", "127.0.0.1", server.server_port)
    server.shutdown()


@contextlib.contextmanager
def counting():
    """A port that counts what it is asked, and answers every request with `status` and `answer`.

    Those beyond the first `at_once` of a path have their answers when `go_on[path]` is set.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with self.server.counting:
                self.server.asked += 1
                self.server.asked_of[self.path] += 1
                waits = self.server.asked_of[self.path] > self.server.at_once
                go_on = self.server.go_on[self.path]
            if waits:
                go_on.wait()
            self.send_response(self.server.status)
            self.send_header("content-length", "8")
            self.end_headers()
            self.wfile.write(self.server.answer)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 1000

    server = Server(("127.0.0.1", 0), Handler)
    server.asked, server.status, server.answer, server.counting = 0, 200, b'{"a": 1}', threading.Lock()
    server.at_once, server.asked_of, server.go_on = math.inf, Counter(), defaultdict(threading.Event)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    for waited_for in server.go_on.values():
        waited_for.set()
    server.shutdown()


@pytest.fixture
def server():
    """The same for one test."""
    with counting() as listening:
        yield listening


@pytest.fixture
def files_up_to():
    """No file of this process, or of one that it starts meanwhile, grows above so many bytes: a disk that is full."""

    @contextlib.contextmanager
    def limited(size):
        before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))

    return limited
