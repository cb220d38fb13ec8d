"""ClusterIPs: connections from pods to Services, passed on to one of the endpoints.

What kube-proxy does in the kernel, done by a process: so it is for the calls of services among themselves.
Measured traffic goes straight to an endpoint, because a proxy costs latency and accepts in place of a server.

A Service without usable endpoints has no listener: connecting is refused. With endpoints, a connection goes to
one of them drawn at random; it stays there until its end, also after the endpoint has left the Service. A reset
or a refusal behind becomes a reset in front, a half-closed connection stays half-closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from seatrial.clusters.local.controllers.events import Recorder
from seatrial.clusters.local.store import Event, Store

log = logging.getLogger(__name__)

Obj = dict[str, Any]
Endpoint = tuple[str, int]  # address and port
Listen = tuple[str, int]

SERVICE_NAME = "kubernetes.io/service-name"
BACKLOG = 1024
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 s


@dataclass(slots=True)
class _Listener:
    endpoints: Sequence[Endpoint]
    server: asyncio.Server | None = None


class ServiceProxy:
    """Listens on the ClusterIPs of all Services with endpoints."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events = Recorder(store, "kube-proxy")
        self._listeners: dict[tuple[str, str], dict[Listen, _Listener]] = {}  # by the Service's key
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._subscription = self._store.subscribe("services", "endpointslices")
        self._task = asyncio.get_running_loop().create_task(self._run(), name="ServiceProxy")

    async def stop(self) -> None:
        """Close all listeners; connections that are open end with the loop."""
        self._subscription.close()
        if self._task is not None:
            await self._task
        for listeners in self._listeners.values():
            for listener in listeners.values():
                _close(listener)

    async def _run(self) -> None:
        while not self._subscription.closed:
            await self._subscription.arrived()
            for key in dict.fromkeys(_service_of(event) for event in self._subscription.take()):
                await self._sync(key)

    async def _sync(self, key: tuple[str, str]) -> None:
        service = self._store.find("services", *key)
        slices = self._store.list("endpointslices", key[0], {SERVICE_NAME: key[1]})
        wanted = targets(service, slices) if service is not None else {}
        listeners = self._listeners.setdefault(key, {})
        for listen in listeners.keys() - wanted.keys():
            _close(listeners.pop(listen))
        for listen, endpoints in wanted.items():
            listener = listeners.setdefault(listen, _Listener(()))
            listener.endpoints = endpoints
            if not endpoints:
                _close(listener)
            elif listener.server is None and service is not None:
                await self._open(service, listen, listener)
        if not listeners:
            del self._listeners[key]

    async def _open(self, service: Obj, listen: Listen, listener: _Listener) -> None:
        loop = asyncio.get_running_loop()
        try:
            listener.server = await loop.create_server(
                lambda: Front(listener.endpoints), *listen, backlog=BACKLOG, reuse_address=True
            )
        except OSError as refusal:
            # Below 1024 only root may listen; the rest of the cluster works on.
            advice = "run Seatrial as root, lower net.ipv4.ip_unprivileged_port_start, or use a port above 1023"
            message = f"cannot listen on {listen[0]}:{listen[1]} ({refusal.strerror}): {advice}"
            self._events.warning(service, "FailedToListen", message)


def targets(service: Obj, slices: Sequence[Obj]) -> dict[Listen, list[Endpoint]]:
    """Where the proxy listens for a Service, and the endpoints behind each: the ready ones.

    If there is none but some still serve while they terminate, those, as kube-proxy does. Source: KEP-1669.
    """
    spec = service["spec"]
    address = spec.get("clusterIP")
    if not address or address == "None":
        return {}
    return {
        (address, port["port"]): _usable(slices, port.get("name", ""))
        for port in spec.get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    }


def _usable(slices: Sequence[Obj], port_name: str) -> list[Endpoint]:
    ready: list[Endpoint] = []
    serving: list[Endpoint] = []
    for part in slices:
        numbers = [port["port"] for port in part.get("ports") or () if (port.get("name") or "") == port_name]
        for endpoint in part.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            found = [(endpoint["addresses"][0], number) for number in numbers]
            if conditions.get("ready") is not False:
                ready += found
            elif conditions.get("serving") and conditions.get("terminating"):
                serving += found
    return ready or serving


def _service_of(event: Event) -> tuple[str, str]:
    metadata = event.object["metadata"]
    if event.object["kind"] == "Service":
        return metadata["namespace"], metadata["name"]
    return metadata["namespace"], (metadata.get("labels") or {}).get(SERVICE_NAME, "")


def _close(listener: _Listener) -> None:
    if listener.server is not None:
        listener.server.close()
        listener.server = None


class _Side(asyncio.Protocol):
    """One of the two connections; what it receives, the other sends."""

    transport: asyncio.Transport | None = None
    other: _Side | None = None
    at_end = False  # no more will come from here

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Hand the end on; True keeps this connection open for what the other still sends."""
        self.at_end = True
        other = self.other
        if other is None or other.transport is None:
            return False
        if other.at_end:
            other.transport.close()
            return False
        if not other.transport.can_write_eof():  # TLS cannot be closed by half
            other.transport.close()
            return False
        with contextlib.suppress(OSError):  # it is being reset; connection_lost tells
            other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        other, self.other, self.transport = self.other, None, None
        if other is None:
            return
        other.other = None
        if exc is not None:
            other.reset()
        elif other.transport is not None:
            other.transport.close()

    def reset(self) -> None:
        """End this connection as a crashed server would: with a reset."""
        if self.transport is None:
            return
        connection = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.transport.abort()


class Front(_Side):
    """The client's connection; connects to an endpoint as soon as it is there."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints
        self._early = b""  # arrived before the endpoint was connected
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        if not self._endpoints:  # the last one left while this connection was in the backlog
            self.reset()
            return
        self._connecting = asyncio.get_running_loop().create_task(self._connect(random.choice(self._endpoints)))

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            super().data_received(data)
        elif self.transport is not None:
            # Only here, not before: uvloop starts to read after connection_made, whatever that asked for.
            self.transport.pause_reading()
            self._early += data

    def eof_received(self) -> bool:
        if self.other is not None:
            return super().eof_received()
        self.at_end = True
        return True

    async def _connect(self, endpoint: Endpoint) -> None:
        back = _Side()
        try:
            await asyncio.get_running_loop().create_connection(lambda: back, *endpoint)
        except OSError:
            self.reset()
            return
        if self.transport is None:  # the client has gone meanwhile
            back.reset()
            return
        self.other, back.other = back, self
        super().data_received(self._early)
        if self.at_end:
            super().eof_received()
        else:
            self.transport.resume_reading()
