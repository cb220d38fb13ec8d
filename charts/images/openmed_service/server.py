"""One process from its first listening socket to its exit code.

The listener opens before any model is loaded and closes last, after the drain. Signals are handled here and nowhere
else: uvicorn would close the listener on SIGTERM, and cut what is in flight on the second one.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from .app import App
from .logs import log
from .protocol import Protocol
from .service import Service
from .settings import Settings

DRAINED, CUT_OFF, BAD_SETTING, PRELOAD_FAILED = 0, 1, 2, 3
AT_LEAST_S = 2.0  # endpoints need time to learn that this pod is leaving
CLOSING_S = 1  # whole seconds (uvicorn) for answers to other paths that are being written when the listener closes


class Listener(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Server:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.service = Service(settings)
        self.api = App(self.service)
        self.app: ASGIApp = self.api
        self.socket: socket.socket | None = None
        self.listener: Listener | None = None

    def bind(self) -> socket.socket:
        """Raises OSError."""
        family = socket.AF_INET6 if ":" in self.settings.host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((self.settings.host, self.settings.port))
        return listening

    async def run(self, listening: socket.socket) -> int:
        """Serve until told to stop; the exit code."""
        self.socket = listening
        terminated = asyncio.Event()
        self.handle_signals(terminated)
        self.listener = Listener(self.http_config())
        serving = asyncio.create_task(self.listener.serve(sockets=[listening]))
        while not self.listener.started and not serving.done():
            await asyncio.sleep(0.005)
        host, port = listening.getsockname()[:2]
        log("listening", host=host, port=port, models=self.settings.preload_models)

        code = await self.until_over(terminated)
        self.listener.should_exit = True
        await serving
        return code

    async def until_over(self, terminated: asyncio.Event) -> int:
        preload = asyncio.create_task(self.service.preload())
        stop = asyncio.create_task(terminated.wait())
        await asyncio.wait([preload, stop], return_when=asyncio.FIRST_COMPLETED)
        if preload.done() and not stop.done():
            error = preload.exception()
            if error is not None:
                log("preload_failed", models=self.settings.preload_models, error=f"{type(error).__name__}: {error}")
                return PRELOAD_FAILED
            log("ready")
            await stop
        return await self.drained()

    def handle_signals(self, terminated: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.terminate, number, terminated)

    def terminate(self, number: int, terminated: asyncio.Event) -> None:
        if terminated.is_set():
            return
        self.service.drain.start()
        log("drain_started", signal=signal.Signals(number).name, in_flight=self.service.drain.in_flight)
        terminated.set()

    async def drained(self) -> int:
        started = time.monotonic()
        finished = await self.service.drain.finished(self.settings.shutdown_drain_s, AT_LEAST_S)
        cut = 0 if finished else await self.service.drain.cut()
        log("drain_finished", duration_s=round(time.monotonic() - started, 3), cut=cut)
        return DRAINED if finished else CUT_OFF

    def http_config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self.app,
            http=Protocol,
            access_log=False,
            lifespan="off",
            log_config=None,
            proxy_headers=False,  # the peer is who connected; who forwarded it is the throttle's business
            server_header=False,
            timeout_graceful_shutdown=CLOSING_S,
            timeout_keep_alive=65,
            ws="none",
        )
