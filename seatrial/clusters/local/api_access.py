"""How pods reach the API server: over TLS, as the Service `kubernetes`, with a token in a file.

In-cluster configurations build an https URL and present a token. The API server itself speaks plain HTTP on
loopback and checks no permissions, so a Role that a chart forgot is not found here.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from urllib.parse import urlsplit

from seatrial.clusters.local.certificate import server_context
from seatrial.clusters.local.controllers.service import CLUSTER_IPS
from seatrial.clusters.local.kubelet.sandbox import ApiAccess
from seatrial.clusters.local.proxy import Front
from seatrial.clusters.local.store import Store

HOST = "127.0.0.1"
NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


class SecureFront:
    """Terminates TLS in front of the API server."""

    def __init__(self) -> None:
        self._address = str(CLUSTER_IPS[random.randrange(1, CLUSTER_IPS.num_addresses - 1)])
        self._context, self.certificate = server_context(NAMES, (HOST, self._address))
        self._server: asyncio.Server | None = None

    async def start(self, url: str) -> ApiAccess:
        """Pass connections on to the API server at `url`; what the kubelet gives to pods."""
        behind = urlsplit(url)
        endpoint = (behind.hostname or HOST, behind.port or 80)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Front([endpoint]), HOST, 0, ssl=self._context)
        port: int = self._server.sockets[0].getsockname()[1]
        return ApiAccess(host=HOST, port=port, ca=self.certificate, token=secrets.token_urlsafe(32))

    async def stop(self) -> None:
        """Stop to listen."""
        if self._server is not None:
            self._server.close()

    def announce(self, store: Store, access: ApiAccess) -> None:
        """Create the Service `kubernetes` and its endpoints."""
        metadata = {"name": "kubernetes", "namespace": "default"}
        labels = {"component": "apiserver", "provider": "kubernetes"}
        ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": access.port}]
        store.create(
            "services",
            {"metadata": metadata | {"labels": labels}, "spec": {"clusterIP": self._address, "ports": ports}},
        )
        store.create(
            "endpointslices",
            {
                "metadata": metadata | {"labels": {"kubernetes.io/service-name": "kubernetes"}},
                "addressType": "IPv4",
                "ports": [{"name": "https", "port": access.port, "protocol": "TCP"}],
                "endpoints": [{"addresses": [access.host], "conditions": {"ready": True}}],
            },
        )
