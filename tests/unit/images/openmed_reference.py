"""The reference service, in this process or in one of its own, with only the settings that a test is about."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from openmed_service.server import Server
from openmed_service.settings import read_settings

CHARTS = Path(__file__).parents[3] / "charts"
IMAGES, FAULTS = CHARTS / "images", CHARTS / "openmed-service" / "faults"
EXPRESSIONS = "regex-pii"  # loads at once
DISEASES = "disease_detection_superclinical"
RAMPART = "OpenMed/OpenMed-PII-SuperClinical-Small-44M-v1"
SERVICE = "OPENMED_SERVICE_"


def server(**environment: str) -> Server:
    """Variables by their name without `OPENMED_SERVICE_`, or in full when they start with OPENMED_."""
    return Server(read_settings(_full(environment)))


def _full(environment: Mapping[str, str]) -> dict[str, str]:
    cache = tempfile.mkdtemp(prefix="openmed-cache-")
    named = {
        name if name.startswith(("OPENMED_", "SEATRIAL_")) else SERVICE + name: v for name, v in environment.items()
    }
    return {"OPENMED_CACHE_DIR": cache, SERVICE + "METRICS_ENABLED": "true", **named}


@asynccontextmanager
async def client(subject: Server) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(subject.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30) as connected:
        yield connected


@asynccontextmanager
async def serving(**environment: str) -> AsyncIterator[httpx.AsyncClient]:
    async with client(server(**environment)) as connected:
        yield connected


def extract(text: str = "mail a@b.com", **fields: object) -> dict[str, object]:
    return {"text": text, "model_name": EXPRESSIONS, **fields}


async def at_once(connected: httpx.AsyncClient, bodies: list[dict[str, object]]) -> list[httpx.Response]:
    return list(await asyncio.gather(*(connected.post("/pii/extract", json=body) for body in bodies)))


def statuses(answers: list[httpx.Response]) -> dict[int, int]:
    found = sorted(answer.status_code for answer in answers)
    return {status: found.count(status) for status in dict.fromkeys(found)}


async def metric(connected: httpx.AsyncClient, name: str) -> float:
    """The sum over all label sets of one sample name."""
    lines = (await connected.get("/metrics")).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.split("{")[0].split(" ")[0] == name)


@dataclass
class Process:
    """A server as a pod would run it."""

    process: asyncio.subprocess.Process
    port: int
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def exit_code(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 30)

    async def said(self, event: str) -> dict[str, Any]:
        """The first log line with that event, now or soon; an AssertionError where the process ended without it."""
        assert self.process.stdout
        async with asyncio.timeout(60):
            while True:
                over = self.process.returncode is not None and self.process.stdout.at_eof()
                for line in self.events:
                    if line.get("event") == event:
                        return line
                assert not over, f"expected {event}, found exit code {self.process.returncode} after {self.events}"
                await asyncio.sleep(0.01)

    async def has_in_flight(self, count: int) -> None:
        """Wait until that many model-backed requests are in work, those with half a body included."""
        async with httpx.AsyncClient(
            headers={"Host": "localhost"}, base_url=self.url, timeout=30, verify=False
        ) as connected:
            async with asyncio.timeout(30):
                while await metric(connected, "openmed_service_inflight_requests") < count:
                    await asyncio.sleep(0.01)

    async def open_post(self, body: dict[str, object], *, send_share: float = 1.0) -> "Raw":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        content = json.dumps(body).encode()
        head = f"POST /pii/extract HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        cut = int(len(content) * send_share)
        writer.write(head + content[:cut])
        await writer.drain()
        return Raw(reader, writer, content[cut:])


@dataclass
class Raw:
    """One request on one connection, sent as far as the test wants."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    unsent: bytes

    async def send_rest(self) -> None:
        self.writer.write(self.unsent)
        await self.writer.drain()

    async def status(self) -> int | None:
        """None when the connection ended without an answer."""
        with contextlib.suppress(ConnectionError):
            line = await asyncio.wait_for(self.reader.readline(), 30)
            if line:
                return int(line.split()[1])
        return None

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def process(*, listens: bool = True, **environment: str) -> AsyncIterator[Process]:
    port = _free_port()
    variables = {**os.environ, **_full(environment), "PYTHONPATH": str(IMAGES)}
    variables["SEATRIAL_FAULTS_FOLDER"] = str(FAULTS)
    variables |= {"OPENMED_SERVICE_HOST": "127.0.0.1", "OPENMED_SERVICE_PORT": str(port)}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "openmed_service", env=variables, stdout=asyncio.subprocess.PIPE
    )
    subject = Process(started, port)
    reading = asyncio.create_task(_collect(subject))
    try:
        if listens:
            await subject.said("listening")
        yield subject
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()
        await reading


async def _collect(subject: Process) -> None:
    assert subject.process.stdout is not None
    async for line in subject.process.stdout:
        with contextlib.suppress(ValueError):
            subject.events.append(json.loads(line))


def _free_port() -> int:
    # Below the ports that connections leave from: one of those may be taken between looking and listening.
    while True:
        port = 20_000 + (os.getpid() * 97 + next(_PORTS)) % 12_000
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


_PORTS = itertools.count()
