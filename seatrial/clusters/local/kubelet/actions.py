"""What a probe or a hook does: HTTP GET, TCP connect, a command in the container.

Source: kubernetes.io/docs/concepts/workloads/pods/probes/ and pkg/probe.
"""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import aiohttp

from seatrial.clusters.local.kubelet.execution import ExecResult

Obj = dict[str, Any]
Execute = Callable[[Sequence[str], float | None], Awaitable[ExecResult]]

PROBE_AGENT, HOOK_AGENT = "kube-probe/1.34", "kube-lifecycle/1.34"
READ_BYTES, REDIRECTS = 10 * 1024, 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt found; a warning counts as a success."""

    result: Literal["success", "warning", "failure"]
    output: str = ""

    @property
    def ok(self) -> bool:
        return self.result != "failure"


class PortNotFound(Exception):
    """A port is named that the container does not declare."""


def port_number(port: int | str, container: Obj) -> int:
    """A number, or the container's port of that name; raises PortNotFound."""
    text = str(port)
    if text.isdigit():
        return int(text)
    for declared in container.get("ports") or ():
        if declared.get("name") == text:
            return int(declared["containerPort"])
    raise PortNotFound(f"couldn't find port: {text!r} in container {container['name']}")


def http_session() -> aiohttp.ClientSession:
    """A client that makes one connection per request and heeds no proxy, cookie or certificate."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, ssl=False, limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),  # each probe has its own; a hook has the grace period
        skip_auto_headers=("Accept-Encoding",),
    )


async def http_get(
    session: aiohttp.ClientSession, action: Obj, container: Obj, pod_ip: str, timeout_s: float | None
) -> Outcome:
    """200-399 succeeds. Redirects are followed on the same host; one to another host is a warning."""
    try:
        url, headers = _request(action, container, pod_ip, PROBE_AGENT)
    except PortNotFound as error:
        return Outcome("failure", str(error))
    try:
        async with asyncio.timeout(timeout_s):
            return await _get(session, url, headers)
    except TimeoutError:
        return Outcome(
            "failure",
            f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        )
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Outcome("failure", f'Get "{url}": {_network_error(error, url)}')


async def http_hook(session: aiohttp.ClientSession, action: Obj, container: Obj, pod_ip: str) -> Outcome:
    """A hook's GET: any answer will do, whatever its status."""
    try:
        url, headers = _request(action, container, pod_ip, HOOK_AGENT)
        async with session.get(url, headers=headers) as response:
            return Outcome("success", str(response.status))
    except (PortNotFound, aiohttp.ClientError, OSError, ValueError) as error:
        return Outcome("failure", str(error))


def _request(action: Obj, container: Obj, pod_ip: str, agent: str) -> tuple[str, dict[str, str]]:
    """URL and headers. Raises PortNotFound."""
    port = port_number(action["port"], container)
    path = action.get("path") or "/"
    scheme, host = action.get("scheme", "HTTP").lower(), action.get("host") or pod_ip
    headers = {"User-Agent": agent, "Accept": "*/*"}
    for header in action.get("httpHeaders") or ():
        _set_header(headers, header["name"], header.get("value", ""))
    return f"{scheme}://{host}:{port}{path if path.startswith('/') else '/' + path}", headers


def _set_header(headers: dict[str, str], name: str, value: str) -> None:
    """An empty User-Agent or Accept means to send none."""
    known = next((header for header in headers if header.lower() == name.lower()), name)
    headers.pop(known, None)
    if value or name.lower() not in ("user-agent", "accept"):
        headers[name] = value


async def _get(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> Outcome:
    at, host = url, urlsplit(url).hostname
    for _ in range(REDIRECTS):
        async with session.get(at, headers=headers, allow_redirects=False) as response:
            body = (await response.content.read(READ_BYTES)).decode(errors="replace")
            to = response.headers.get("Location")
            if response.status in (301, 302, 303, 307, 308) and to:
                at = urljoin(at, to)
                if urlsplit(to).netloc:  # a Host header holds for the address it was given for
                    headers = {name: value for name, value in headers.items() if name.lower() != "host"}
                if urlsplit(at).hostname == host:
                    continue
                return Outcome("warning", f"Probe terminated redirects, Response body: {body}")
            if 200 <= response.status < 300:
                return Outcome("success", body)
            if 300 <= response.status < 400:
                return Outcome("warning", f"Probe terminated redirects, Response body: {body}")
            return Outcome("failure", f"HTTP probe failed with statuscode: {response.status}")
    return Outcome("failure", f'Get "{at}": stopped after {REDIRECTS} redirects')


async def tcp_connect(action: Obj, container: Obj, pod_ip: str, timeout_s: float) -> Outcome:
    """Succeeds when the connection is accepted."""
    host = action.get("host") or pod_ip
    try:
        port = port_number(action["port"], container)
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except PortNotFound as error:
        return Outcome("failure", str(error))
    except TimeoutError:
        return Outcome("failure", f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Outcome("failure", _network_error(error, f"tcp://{host}:{port}"))
    return Outcome("success")


async def run_command(execute: Execute, action: Obj, timeout_s: float | None) -> Outcome:
    """Exit code 0 succeeds."""
    command = action.get("command") or []
    try:
        result = await execute(command, timeout_s)
    except TimeoutError:
        return Outcome("failure", f'command timed out: "{" ".join(command)}" timed out after {timeout_s:g}s')
    output = (result.stdout + result.stderr)[:READ_BYTES].decode(errors="replace")
    return Outcome("success" if result.exit_code == 0 else "failure", output)


def _network_error(error: Exception, url: str) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH):
        return f"dial tcp {urlsplit(url).netloc}: connect: {os.strerror(number).lower()}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(error) or type(error).__name__
