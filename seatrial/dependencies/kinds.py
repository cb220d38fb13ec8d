"""From what a contract asks for to what brings it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.contract import Dependency, ObjectStore, Postgres, Upstream
from seatrial.dependencies.base import Kind, Server
from seatrial.dependencies.http import UpstreamKind
from seatrial.dependencies.manifests import objects_of
from seatrial.dependencies.postgres import PostgresKind
from seatrial.dependencies.s3 import ObjectStoreKind


@dataclass(frozen=True, slots=True)
class Planned:
    """A dependency by its name in the contract, and what will serve it.

    `key` is where the contract asks for it, `agent` the image that has the gate.
    """

    name: str
    key: str
    wanted: Postgres | ObjectStore | Upstream
    kind: Kind
    server: Server
    agent: str

    @property
    def service(self) -> str:
        """The Service at which the release finds it."""
        return self.wanted.service or self.name

    def objects(self) -> list[dict[str, Any]]:
        """All that is made for it in a namespace, in this order."""
        return objects_of(self.name, self.wanted, self.kind, self.server, self.agent)


def plan(name: str, dependency: Dependency, contract_file: Path, agent: str, *, images: bool) -> Planned:
    """How one that Seatrial brings is brought: by images, or by processes of this machine.

    Raises InputError for files beside the contract that are wrong, and for programs that this machine lacks.
    """
    key, folder = f"{contract_file}, dependencies.{name}.{dependency.kind}", contract_file.parent
    kind: Kind
    if isinstance(wanted := dependency.brought, Postgres):
        kind = PostgresKind(key, wanted, folder)
    elif isinstance(wanted, ObjectStore):
        kind = ObjectStoreKind(key, wanted, folder)
    else:
        assert isinstance(wanted, Upstream), f"{key} is nothing that Seatrial brings"
        kind = UpstreamKind(key, wanted, folder)
    return Planned(name, key, wanted, kind, kind.by_image(agent) if images else kind.by_process(agent), agent)
