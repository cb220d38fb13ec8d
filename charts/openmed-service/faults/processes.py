"""More than one process, and a signal that reaches only one of them."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable

from openmed_service.logs import log
from openmed_service.server import Server
from planting import Fired, fault, odd

PR_SET_PDEATHSIG = 1


def _worker() -> int:
    """Fork; 0 in the worker, which no signal to its parent's group reaches, and which dies with its parent."""
    child = os.fork()
    if child == 0:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return child


def _parent_of(child: int, on_sigterm: Callable[[], None]) -> None:
    """What process 1 does: wait for its worker, and leave as that did."""
    signal.signal(signal.SIGTERM, lambda number, frame: on_sigterm())
    _, status = os.waitpid(child, 0)
    sys.stdout.flush()
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


@fault("entrypoint-traps-term", breaks={"D8", "D5"})
def entrypoint_traps_term(server: Server, fired: Fired) -> None:
    """Process 1 is a script that traps SIGTERM and does not pass it on."""
    child = _worker()
    if child:
        _parent_of(child, fired)


@fault("parent-only-signal", breaks={"D8", "D5"})
def parent_only_signal(server: Server, fired: Fired) -> None:
    """The parent starts to drain by its own account; its worker hears nothing and goes on until it is killed."""
    child = _worker()

    def heard() -> None:
        fired()
        log("drain_started", signal="SIGTERM", in_flight=0)

    if child:
        _parent_of(child, heard)


@fault("sigterm-only-pid1-of-workers", breaks={"D8", "D5"})
def sigterm_only_pid1_of_workers(server: Server, fired: Fired) -> None:
    """Two workers share the port; the first drains on SIGTERM, the second never hears of it, and is waited for."""
    bind, drained = server.bind, server.drained

    def bind_then_fork() -> socket.socket:
        listening = bind()
        listening.listen(2048)
        child = _worker()
        if child:
            server.drained = lambda: waiting(child)  # type: ignore[method-assign]
        else:
            server.handle_signals = lambda terminated: None  # type: ignore[method-assign]
        return listening

    async def waiting(child: int) -> int:
        await drained()
        fired()
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        return os.waitstatus_to_exitcode(status) & 0xFF

    server.bind = bind_then_fork  # type: ignore[method-assign]


@odd("init-as-pid1", spares={"D8", "D5", "D1"})
def init_as_pid1(server: Server, fired: Fired) -> None:
    """Process 1 is an init that passes SIGTERM on to the server and leaves as it does."""
    child = _worker()

    def pass_on() -> None:
        fired()
        os.kill(child, signal.SIGTERM)

    if child:
        _parent_of(child, pass_on)
