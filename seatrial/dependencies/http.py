"""An HTTP upstream of canned answers: a server of Seatrial's own, on every cluster the same."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

from seatrial.contract import Upstream
from seatrial.dependencies.base import CONFIG_BYTES, FILES, Objects, Server
from seatrial.errors import InputError

ROUTES = "routes.json"


class UpstreamKind:
    """Answers by the contract's routes."""

    port = 8080
    speaks_http = True

    def __init__(self, key: str, wanted: Upstream, folder: Path) -> None:
        self._routes = json.dumps([route.model_dump() for route in wanted.routes])
        if len(self._routes) > CONFIG_BYTES:
            raise InputError(
                f"{key}.routes: expected at most {CONFIG_BYTES} bytes of JSON, which a ConfigMap "
                f"can hold, found {len(self._routes)}; shorten the answers"
            )

    def credentials(self, host: str, port: int) -> dict[str, str]:
        return {"url": f"http://{host}:{port}", "host": host, "port": str(port)}

    def by_image(self, agent: str) -> Server:
        return self.by_process(agent)

    def by_process(self, agent: str) -> Server:
        return Server(
            image=agent,
            stands_by=f"canned answers of Seatrial {importlib.metadata.version('seatrial')}",
            command=("python", "-m", "seatrial.dependencies.http_server", str(self.port), f"{FILES}/{ROUTES}"),
            files={ROUTES: self._routes},
        )

    def objects(self) -> Objects | None:
        return None
