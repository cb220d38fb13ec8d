"""Where the connections of a stream go: a fixed address, or one chosen anew for each."""

from __future__ import annotations

import asyncio
import socket
import ssl

from seatrial.traffic.connection import Connection
from seatrial.traffic.endpoints import Watch
from seatrial.traffic.plan import ChosenTarget, PodTarget, ServiceTarget, Target
from seatrial.traffic.tls import TlsConnection, context


class Route:
    """Opens the way to a target once; afterwards each connection is free of lookups."""

    def __init__(self, target: Target) -> None:
        self.host = (
            f"{target.name}.{target.namespace}" if isinstance(target, ChosenTarget) else f"{target.host}:{target.port}"
        )
        self._target = target
        self._address = ""
        self._watch: Watch | None = None
        self._trusted: ssl.SSLContext | None = None

    async def prepare(self) -> None:
        """Resolve the name, or learn the endpoints. Raises OSError or ValueError if that fails."""
        if isinstance(self._target, ChosenTarget):
            self._watch = Watch(self._target)
            await self._watch.start()
        else:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(
                    self._target.host, self._target.port, type=socket.SOCK_STREAM
                )
            except socket.gaierror as reason:
                raise OSError(f"expected an address for {self._target.host}, found {reason.strerror}") from reason
            self._address = str(found[0][4][0])
            if isinstance(self._target, ServiceTarget) and self._target.tls:
                self._trusted = context()

    def connection(self, loop: asyncio.AbstractEventLoop) -> Connection | None:
        """A connection that is yet to be opened; None where there is no endpoint."""
        target = self._target
        if isinstance(target, ChosenTarget):
            chosen = self._watch.choose() if self._watch else None
            return Connection(loop, chosen.host, chosen.port, pod=chosen.pod) if chosen else None
        if self._trusted is not None:
            return TlsConnection(loop, self._address, target.port, self._trusted, target.host)
        pod = target.pod if isinstance(target, PodTarget) else ""
        return Connection(loop, self._address, target.port, pod=pod, target=pod)

    def close(self) -> None:
        """Watch no longer."""
        if self._watch:
            self._watch.stop()
