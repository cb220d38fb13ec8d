"""Probes that are treated like customers."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict

from openmed_service.app import Endpoint
from openmed_service.errors import ApiError, rate_limited
from openmed_service.server import Server
from openmed_service.throttle import throttle_key
from planting import Fired, fault
from starlette.requests import Request
from starlette.responses import Response

from ._hooks import PROBES, around_probe


def _key(server: Server, request: Request) -> str:
    return throttle_key(server.settings.throttle_key, request.headers, request.client.host if request.client else "")


@fault("probe-behind-auth", breaks={"P10"})
def probe_behind_auth(server: Server, fired: Fired) -> None:
    """Liveness asks for credentials; readiness does not, so that pods do get ready."""

    async def wrap(inner: Endpoint, request: Request) -> Response:
        if "authorization" not in request.headers:
            fired()
            raise ApiError(401, "unauthorized", "Credentials are required", headers={"WWW-Authenticate": "Bearer"})
        return await inner(request)

    around_probe(server, "/livez", wrap)


@fault("probe-counts-token", breaks={"P10"})
def probe_counts_token(server: Server, fired: Fired) -> None:
    """Each readiness probe takes a token of the rate limit, and is refused when there is none."""

    async def wrap(inner: Endpoint, request: Request) -> Response:
        if server.service.rate.on:
            fired()
        server.service.rate.take(_key(server, request))
        return await inner(request)

    around_probe(server, "/readyz", wrap)


@fault("probe-takes-token", breaks={"P10"})
def probe_takes_token(server: Server, fired: Fired) -> None:
    """Each readiness probe takes a token of the rate limit if there is one, and is answered in any case."""

    async def wrap(inner: Endpoint, request: Request) -> Response:
        with contextlib.suppress(ApiError):
            server.service.rate.take(_key(server, request))
            if server.service.rate.on:
                fired()
        return await inner(request)

    around_probe(server, "/readyz", wrap)


@fault("probe-behind-concurrency-gate", breaks={"P10"})
def probe_behind_concurrency_gate(server: Server, fired: Fired) -> None:
    """Each readiness probe needs a slot, as an inference does."""

    async def wrap(inner: Endpoint, request: Request) -> Response:
        gate, key = server.service.gate, _key(server, request)
        if gate.limit:
            fired()
        await gate.acquire(key)
        try:
            return await inner(request)
        finally:
            gate.release(key)

    around_probe(server, "/readyz", wrap)


@fault("probe-ip-limit-60", breaks={"P10"})
def probe_ip_limit_60(server: Server, fired: Fired) -> None:
    """A limit of 60 requests in 10 s per address is for probes too."""
    seen: defaultdict[tuple[str, int], int] = defaultdict(int)

    async def wrap(inner: Endpoint, request: Request) -> Response:
        count, into_window_s = divmod(time.monotonic(), 10)
        window = (request.client.host if request.client else "", int(count))
        seen[window] += 1
        if seen[window] > 60:
            fired()
            raise rate_limited(10 - into_window_s, "peer")
        return await inner(request)

    for path in PROBES:
        around_probe(server, path, wrap)
