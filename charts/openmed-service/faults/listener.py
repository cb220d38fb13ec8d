"""The listening socket goes before the traffic does."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from openmed_service import server as server_module
from openmed_service.server import Server
from planting import Fired, fault, odd

from ._hooks import on_sigterm, reset


def _close(server: Server, fired: Fired) -> None:
    fired()
    assert server.listener is not None
    for listening in server.listener.servers:
        listening.close()
    if server.socket is not None:
        server.socket.close()


@fault("close-listener-on-sigterm", breaks={"D4"})
def close_listener_on_sigterm(server: Server, fired: Fired) -> None:
    """The listener is closed at SIGTERM, while endpoints still lead here."""
    on_sigterm(server, lambda: _close(server, fired))


@fault("close-listener-1s-after-sigterm", breaks={"D4"})
def close_listener_1s_after_sigterm(server: Server, fired: Fired) -> None:
    """The listener is closed 1 s after SIGTERM, half the time that the service promises to go on accepting."""

    def later() -> None:
        asyncio.get_running_loop().call_later(1.0, _close, server, fired)

    on_sigterm(server, later)


@fault("close-listener-when-idle", breaks={"D4"})
def close_listener_when_idle(server: Server, fired: Fired) -> None:
    """The listener stays open while anything is in flight, and is closed then, at once where nothing was."""
    drain = server.service.drain

    async def when_idle() -> None:
        while drain.in_flight:
            await asyncio.sleep(0.02)
        _close(server, fired)

    closing: list[asyncio.Task[None]] = []
    on_sigterm(server, lambda: closing.append(asyncio.get_running_loop().create_task(when_idle())))


@fault("rst-on-accept-draining", breaks={"D4"})
def rst_on_accept_draining(server: Server, fired: Fired) -> None:
    """Draining, it still listens, and resets every connection that it accepts."""
    plain = server.http_config

    def config() -> uvicorn.Config:
        made = plain()
        made.load()
        protocol: Any = made.http_protocol_class

        class Resetting(protocol):  # type: ignore[misc]
            def connection_made(self, transport: asyncio.Transport) -> None:
                super().connection_made(transport)
                if server.service.drain.started:
                    fired()
                    reset(transport)

        made.http_protocol_class = Resetting
        return made

    server.http_config = config  # type: ignore[method-assign]


@odd("accepts-5s-after-sigterm", spares={"D4"})
def accepts_5s_after_sigterm(server: Server, fired: Fired) -> None:
    """The process stays for 5 s after SIGTERM at least, and accepts all the while."""
    finished = server.service.drain.finished

    async def lingering(budget_s: float, at_least_s: float) -> bool:
        fired()
        return await finished(budget_s, max(at_least_s, 5.0))

    assert server_module.AT_LEAST_S < 5.0
    server.service.drain.finished = lingering  # type: ignore[method-assign]
