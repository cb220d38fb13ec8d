"""The process does not leave when it should, or not as it should."""

from __future__ import annotations

import asyncio
import signal

from openmed_service.labels import Span
from openmed_service.server import DRAINED, Server
from planting import Fired, fault, odd

from ._hooks import Call, Spans, around_spans


@fault("sigterm-ignored", breaks={"D5", "D8"})
def sigterm_ignored(server: Server, fired: Fired) -> None:
    """SIGTERM is heard, and nothing comes of it."""

    def handle_signals(terminated: asyncio.Event) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, fired)

    server.handle_signals = handle_signals  # type: ignore[method-assign]


@fault("drain-waits-for-idle-keepalive", breaks={"D5"})
def drain_waits_for_idle_keepalive(server: Server, fired: Fired) -> None:
    """The process stays as long as any connection is open, idle ones included, and tells none of them to close."""
    drained = server.drained

    async def waiting() -> int:
        code = await drained()
        assert server.listener is not None
        while server.listener.server_state.connections:
            fired()
            await asyncio.sleep(0.2)
        return code

    server.api.says_close = lambda: False  # type: ignore[method-assign]
    server.drained = waiting  # type: ignore[method-assign]


@fault("exit-joins-background-60s", breaks={"D5"})
def exit_joins_background_60s(server: Server, fired: Fired) -> None:
    """Before it leaves, the process waits for a background thread that needs another minute."""
    drained = server.drained

    async def joining() -> int:
        code = await drained()
        fired()
        await asyncio.sleep(60.0)
        return code

    server.drained = joining  # type: ignore[method-assign]


def _leaving_with(server: Server, fired: Fired, code: int) -> None:
    drained = server.drained

    async def leaving() -> int:
        if await drained() != DRAINED:
            return 1
        fired()
        return code

    server.drained = leaving  # type: ignore[method-assign]


@fault("exit-code-1-on-drain", breaks={"D5"})
def exit_code_1_on_drain(server: Server, fired: Fired) -> None:
    """All work is finished in time, and the exit code says error."""
    _leaving_with(server, fired, 1)


@odd("exit-143", spares={"D5", "D8"})
def exit_143(server: Server, fired: Fired) -> None:
    """A drained process says by its exit code which signal it followed."""
    _leaving_with(server, fired, 143)


@fault("sigterm-after-first-request", breaks={"D8"})
def sigterm_after_first_request(server: Server, fired: Fired) -> None:
    """The handler for SIGTERM is installed by the first inference; until then the signal does nothing."""
    install = server.handle_signals
    waiting: list[asyncio.Event] = []

    def handle_signals(terminated: asyncio.Event) -> None:
        waiting.append(terminated)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, fired)

    async def wrap(inner: Spans, call: Call) -> list[Span]:
        while waiting:
            install(waiting.pop())
        return await inner(call)

    around_spans(server, wrap)
    server.handle_signals = handle_signals  # type: ignore[method-assign]
